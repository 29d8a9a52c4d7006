"""The part of ``ray_qa.reader.pair_tokenizer`` that needs no tokenizer; the rest is tested in the model ring."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ray_qa.reader.arrays import Ints
from ray_qa.reader.pair_tokenizer import readable_ranges, trimmed_ranges

TEXTS = st.text(st.sampled_from("ab\u0301é🦊犬 \t\r\n\u00a0\u200b\u3000\x1f\x00"), max_size=20)


def as_ranges(offsets: list[tuple[int, int]]) -> Ints:
    return np.array(offsets, dtype=np.int64).reshape(-1, 2)


@st.composite
def tokenized(draw: st.DrawFn) -> tuple[str, list[tuple[int, int]]]:
    """A text and token ranges in it: with gaps, empty ones, and several that share characters."""
    text = draw(TEXTS)
    ranges = st.tuples(st.integers(0, len(text)), st.integers(0, len(text))).map(lambda pair: (min(pair), max(pair)))
    return text, sorted(draw(st.lists(ranges, max_size=12)))


@given(tokenized())
def test_ranges_lose_the_white_space_at_their_ends_and_nothing_else(case: tuple[str, list[tuple[int, int]]]) -> None:
    text, offsets = case
    trimmed = trimmed_ranges(text, as_ranges(offsets)).tolist()
    assert len(trimmed) == len(offsets)
    for (start, end), (trimmed_start, trimmed_end) in zip(offsets, trimmed, strict=True):
        piece = text[start:end]
        assert text[trimmed_start:trimmed_end] == piece.strip()
        assert start <= trimmed_start <= trimmed_end <= end
        if piece.strip():
            assert trimmed_start == start + len(piece) - len(piece.lstrip())


def test_a_token_of_white_space_only_gets_an_empty_range() -> None:
    assert trimmed_ranges(" a \u3000 b", as_ranges([(0, 1), (0, 2), (2, 5), (4, 6), (6, 6)])).tolist() == [
        [1, 1],
        [1, 2],
        [5, 5],
        [5, 6],
        [6, 6],
    ]


def test_a_text_without_tokens_has_no_ranges() -> None:
    assert trimmed_ranges("", as_ranges([])).shape == trimmed_ranges(" ", as_ranges([])).shape == (0, 2)


def test_white_space_that_carries_a_mark_is_left_out_and_the_rest_of_the_grapheme_stays() -> None:
    assert readable_ranges("a \u0301b", [(0, 1), (1, 3), (2, 3), (3, 4)]).tolist() == [[0, 1], [2, 3], [2, 3], [3, 4]]


@given(tokenized())
def test_readable_ranges_hold_the_trimmed_ones_and_have_no_white_space_at_their_ends(
    case: tuple[str, list[tuple[int, int]]],
) -> None:
    text, offsets = case
    bare = trimmed_ranges(text, as_ranges(offsets))
    for (start, end), (bare_start, bare_end) in zip(readable_ranges(text, offsets), bare, strict=True):
        assert start <= bare_start <= bare_end <= end
        assert text[start:end] == text[start:end].strip()
