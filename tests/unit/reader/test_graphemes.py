from __future__ import annotations

import sys
import unicodedata

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_qa.reader.graphemes import GRAPHEME, SEVERAL, whole_graphemes

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


marks = st.sampled_from("abe \u0301\u0308\u200d👩👧🏽🇩🇪क्षि한東\u1100\u1161")


@given(st.text(marks, max_size=40), st.data())
def test_a_range_becomes_the_smallest_that_begins_and_ends_between_graphemes(text: str, data: st.DataObject) -> None:
    places = st.integers(0, len(text))
    ranges = [sorted(pair) for pair in data.draw(st.lists(st.tuples(places, places), max_size=5))]
    borders = [0, *(match.end() for match in GRAPHEME.finditer(text))]
    whole = whole_graphemes(text, np.array(ranges, dtype=np.int64).reshape(-1, 2))
    assert whole.tolist() == [
        [max(border for border in borders if border <= start), min(border for border in borders if border >= end)]
        if start < end
        else [start, end]
        for start, end in ranges
    ]
