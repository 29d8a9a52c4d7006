from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_qa.reader.windows import Windows, cut_windows


@dataclass(frozen=True)
class Corpus:
    question_tokens: list[int]
    context_tokens: list[int]
    max_tokens: int
    stride: int
    special_tokens: int

    def cut(self) -> Windows:
        return cut_windows(
            np.array(self.question_tokens, dtype=np.int64),
            np.array(self.context_tokens, dtype=np.int64),
            max_tokens=self.max_tokens,
            stride=self.stride,
            special_tokens=self.special_tokens,
        )

    def capacity(self, row: int) -> int:
        return self.max_tokens - self.special_tokens - self.question_tokens[row]


@st.composite
def corpora(draw: st.DrawFn) -> Corpus:
    """Rows of all sizes, with windows that are barely or far above the stride."""
    rows = draw(st.lists(st.tuples(st.integers(1, 12), st.integers(0, 150)), max_size=6))
    stride, special_tokens = draw(st.integers(0, 20)), draw(st.integers(0, 4))
    beyond = draw(st.integers(1, 40))
    return Corpus(
        question_tokens=[question for question, _ in rows],
        context_tokens=[context for _, context in rows],
        max_tokens=max((question for question, _ in rows), default=0) + special_tokens + stride + beyond,
        stride=stride,
        special_tokens=special_tokens,
    )


def by_the_definition(corpus: Corpus) -> list[tuple[int, int, int, int]]:
    """Start at 0, step = capacity − stride, stop at the first window that reaches the end."""
    cut = []
    for row, (question, context) in enumerate(zip(corpus.question_tokens, corpus.context_tokens, strict=True)):
        start, reached = 0, 0
        while reached < context:
            reached = min(start + corpus.capacity(row), context)
            cut.append((row, start, reached, question + corpus.special_tokens + reached - start))
            start += corpus.capacity(row) - corpus.stride
    return cut


def as_tuples(windows: Windows) -> list[tuple[int, int, int, int]]:
    columns = (windows.row, windows.start, windows.stop, windows.tokens)
    return list(zip(*(column.tolist() for column in columns), strict=True))


@given(corpora())
def test_windows_follow_the_definition(corpus: Corpus) -> None:
    windows = corpus.cut()
    assert as_tuples(windows) == by_the_definition(corpus)
    assert len(windows) == len(windows.row)


@given(corpora())
def test_every_context_token_is_in_a_window_and_no_window_is_too_long(corpus: Corpus) -> None:
    windows = corpus.cut()
    for row, context in enumerate(corpus.context_tokens):
        own = windows.row == row
        covered = {token for start, stop in zip(windows.start[own], windows.stop[own], strict=True)
                   for token in range(start, stop)}  # fmt: skip
        assert covered == set(range(context))
    assert (windows.tokens <= corpus.max_tokens).all()


@given(corpora())
def test_neighbouring_windows_of_a_row_share_exactly_the_stride(corpus: Corpus) -> None:
    windows = corpus.cut()
    for nth in range(1, len(windows)):
        if windows.row[nth] == windows.row[nth - 1]:
            assert windows.stop[nth - 1] - windows.start[nth] == corpus.stride


def test_a_context_that_just_fits_is_one_window_and_one_more_token_makes_two() -> None:
    fits = Corpus(question_tokens=[3], context_tokens=[10], max_tokens=15, stride=4, special_tokens=2)
    assert as_tuples(fits.cut()) == [(0, 0, 10, 15)]
    longer = Corpus(question_tokens=[3], context_tokens=[11], max_tokens=15, stride=4, special_tokens=2)
    assert as_tuples(longer.cut()) == [(0, 0, 10, 15), (0, 6, 11, 10)]


@pytest.mark.parametrize("stride", [10, 11, 50])
def test_a_stride_that_does_not_let_windows_advance_is_refused(stride: int) -> None:
    corpus = Corpus(question_tokens=[1, 3], context_tokens=[5, 5], max_tokens=15, stride=stride, special_tokens=2)
    with pytest.raises(ValueError, match=f"^`stride` must be less than every window's room .* but is {stride}$"):
        corpus.cut()


def test_a_row_of_one_context_token_needs_room_too() -> None:
    corpus = Corpus(question_tokens=[1, 14], context_tokens=[5, 1], max_tokens=15, stride=4, special_tokens=2)
    with pytest.raises(ValueError, match="`stride` must be less"):
        corpus.cut()


def test_a_row_without_context_needs_no_room() -> None:
    corpus = Corpus(question_tokens=[1, 14], context_tokens=[5, 0], max_tokens=15, stride=4, special_tokens=2)
    assert as_tuples(corpus.cut()) == [(0, 0, 5, 8)]
