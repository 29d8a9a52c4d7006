from __future__ import annotations

import sys
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_qa.reader.text_ranges import GRAPHEME, SEVERAL, readable_ranges, whole_graphemes

Ranges = list[tuple[int, int]]
TEXTS = st.text(
    st.sampled_from("ab\u0301é🦊犬 \t\r\n\u00a0\u200b\u3000\x1f\x00\u0308\u200d👩👧🏽🇩🇪क्षि한\u1100\u1161"), max_size=20
)


def ranges_of(*tokenized: tuple[str, Ranges]) -> Ranges:
    texts, offsets = [text for text, _ in tokenized], [ranges for _, ranges in tokenized]
    return [(start, end) for start, end in readable_ranges(texts, [*map(len, offsets)], offsets).tolist()]


def plainly(text: str, start: int, end: int) -> tuple[int, int]:
    """What a token's range becomes, by the definition."""
    start, end = trimmed(text, start, end)
    if start < end:
        borders = [0, *(match.end() for match in GRAPHEME.finditer(text))]
        start = max(border for border in borders if border <= start)
        end = min(border for border in borders if border >= end)
    return trimmed(text, start, end)


def trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    piece = text[start:end]
    if not piece.strip():
        return end, end
    return start + len(piece) - len(piece.lstrip()), end - len(piece) + len(piece.rstrip())


@st.composite
def tokenized(draw: st.DrawFn) -> tuple[str, Ranges]:
    """A text and token ranges in it: with gaps, empty ones, and several that share characters."""
    text = draw(TEXTS)
    ranges = st.tuples(st.integers(0, len(text)), st.integers(0, len(text))).map(lambda pair: (min(pair), max(pair)))
    return text, sorted(draw(st.lists(ranges, max_size=12)))


@given(st.lists(tokenized(), max_size=4))
def test_ranges_are_what_they_are_by_definition_whatever_texts_come_together(texts: list[tuple[str, Ranges]]) -> None:
    assert ranges_of(*texts) == [plainly(text, *place) for text, offsets in texts for place in offsets]


def test_a_token_of_white_space_only_gets_an_empty_range() -> None:
    offsets = [(0, 1), (0, 2), (2, 5), (4, 6), (6, 6)]
    assert ranges_of((" a \u3000 b", offsets)) == [(1, 1), (1, 2), (5, 5), (5, 6), (6, 6)]


def test_texts_without_tokens_have_no_ranges() -> None:
    assert readable_ranges([], [], []).shape == readable_ranges(["", " "], [0, 0], [[], []]).shape == (0, 2)


def test_white_space_that_carries_a_mark_is_left_out_and_the_rest_of_the_grapheme_stays() -> None:
    assert ranges_of(("a \u0301b", [(0, 1), (1, 3), (2, 3), (3, 4)])) == [(0, 1), (2, 3), (2, 3), (3, 4)]


def test_all_white_space_that_python_knows_is_trimmed() -> None:
    for point in range(sys.maxunicode + 1):
        if chr(point).isspace():
            assert ranges_of((f"{chr(point)}a{chr(point)}", [(0, 3)])) == [(1, 2)], hex(point)


CAFE = unicodedata.normalize("NFD", "ein Café in Ulm")


@pytest.mark.parametrize(
    ("text", "cut", "whole"),
    [
        (CAFE, "Cafe", unicodedata.normalize("NFD", "Café")),
        (CAFE, "ein", "ein"),
        (CAFE, "\u0301 in", "e\u0301 in"),
        ("a 👩\u200d👩\u200d👧 b", "👩", "👩\u200d👩\u200d👧"),
        ("thumbs 👍🏽!", "👍", "👍🏽"),
        ("flags 🇩🇪🇫🇷", "🇩", "🇩🇪"),
        ("क्षि है", "क", "क्षि"),
        ("한국", "한", "한"),
        ("東京は", "東京", "東京"),
    ],
)
def test_a_range_that_cuts_a_grapheme_is_extended_over_it(text: str, cut: str, whole: str) -> None:
    start = text.index(cut)
    ((begin, end),) = whole_graphemes(text, np.array([[start, start + len(cut)]]))
    assert text[begin:end] == whole


def test_empty_ranges_stay_as_they_are() -> None:
    ranges = np.array([[0, 0], [1, 1], [3, 3], [4, 4]])
    assert whole_graphemes("e\u0301e\u0301", ranges).tolist() == ranges.tolist()
    assert whole_graphemes("", np.zeros((0, 2), np.int64)).shape == (0, 2)


def test_whatever_can_be_part_of_a_grapheme_of_several_code_points_is_looked_for() -> None:
    alone = [chr(point) for point in range(0x20, sys.maxunicode + 1) if not 0xD800 <= point < 0xE000]
    text = "".join(f"a{character}\n" for character in alone)
    several = [match[0] for match in GRAPHEME.finditer(text) if len(match[0]) > 1]
    assert len(several) > 1_000
    assert all(SEVERAL.search(grapheme) for grapheme in several)
    assert not SEVERAL.search("Wo? In Köln, 東京 🙂 – “ja”!")
