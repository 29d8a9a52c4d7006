"""The part of ``ray_qa.reader.pair_tokenizer`` that needs no tokenizer; the rest is tested in the model ring."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ray_qa.reader.pair_tokenizer import trimmed_ranges

TEXTS = st.text(st.sampled_from("ab\u0301é🦊犬 \t\r\n\u00a0\u200b\u3000\x1f\x00"), max_size=20)


@st.composite
def tokenized(draw: st.DrawFn) -> tuple[str, list[tuple[int, int]]]:
    """A text and token ranges in it: with gaps, empty ones, and several that share characters."""
    text = draw(TEXTS)
    ranges = st.tuples(st.integers(0, len(text)), st.integers(0, len(text))).map(lambda pair: (min(pair), max(pair)))
    return text, sorted(draw(st.lists(ranges, max_size=12)))


@given(tokenized())
def test_ranges_lose_the_white_space_at_their_ends_and_nothing_else(case: tuple[str, list[tuple[int, int]]]) -> None:
    text, offsets = case
    trimmed = trimmed_ranges(text, offsets).tolist()
    assert len(trimmed) == len(offsets)
    for (start, end), (trimmed_start, trimmed_end) in zip(offsets, trimmed, strict=True):
        piece = text[start:end]
        assert text[trimmed_start:trimmed_end] == piece.strip()
        assert start <= trimmed_start <= trimmed_end <= end
        if piece.strip():
            assert trimmed_start == start + len(piece) - len(piece.lstrip())


def test_a_token_of_white_space_only_gets_an_empty_range() -> None:
    assert trimmed_ranges(" a \u3000 b", [(0, 1), (0, 2), (2, 5), (4, 6), (6, 6)]).tolist() == [
        [1, 1],
        [1, 2],
        [5, 5],
        [5, 6],
        [6, 6],
    ]


def test_a_text_without_tokens_has_no_ranges() -> None:
    assert trimmed_ranges("", []).shape == trimmed_ranges(" ", []).shape == (0, 2)
