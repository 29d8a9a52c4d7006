from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from ray_qa.reader.arrays import Bools, Ints
from ray_qa.reader.spans import WindowSpans, best_spans


@dataclass(frozen=True)
class Case:
    """W windows of T tokens. Neighbouring tokens may share a character, as byte-level tokens do."""

    start_WT: npt.NDArray[Any]
    end_WT: npt.NDArray[Any]
    eligible_WT: Bools
    char_start_WT: Ints
    char_end_WT: Ints
    max_answer_tokens: int

    def search(self, n_best: int) -> WindowSpans:
        return best_spans(
            self.start_WT,
            self.end_WT,
            self.eligible_WT,
            max_answer_tokens=self.max_answer_tokens,
            n_best=n_best,
            char_start_WT=self.char_start_WT if n_best > 1 else None,
            char_end_WT=self.char_end_WT if n_best > 1 else None,
        )

    def ranking(self, window: int) -> list[tuple[int, int]]:
        """All spans of a window, best first; ties earlier, then shorter first."""
        tokens = range(self.start_WT.shape[1])
        scored = [
            (-(self.start_WT[window, i] + self.end_WT[window, j]), i, j)
            for i in tokens
            for j in tokens[i : i + self.max_answer_tokens]
            if self.eligible_WT[window, i] and self.eligible_WT[window, j]
        ]
        return [(i, j) for _, i, j in sorted(scored)]

    def characters(self, window: int, span: tuple[int, int]) -> tuple[int, int]:
        return int(self.char_start_WT[window, span[0]]), int(self.char_end_WT[window, span[1]])


def found(spans: WindowSpans, window: int) -> list[tuple[int, int]]:
    there = spans.start_score_WK[window] > -np.inf
    assert (there == (spans.end_score_WK[window] > -np.inf)).all()
    pairs = zip(spans.first_WK[window][there].tolist(), spans.last_WK[window][there].tolist(), strict=True)
    return list(pairs)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    shape = (draw(st.integers(1, 3)), draw(st.integers(1, 8)))
    dtype = draw(st.sampled_from([np.float64, np.float32]))
    few_whole_numbers = st.integers(-2, 2).map(float)  # so that ties are the rule
    logits = draw(st.sampled_from([few_whole_numbers, st.floats(-40, 40, width=32)]))
    step_WT = draw(nps.arrays(np.int64, shape, elements=st.integers(0, 1)))
    char_start_WT = np.cumsum(step_WT, axis=1)
    return Case(
        start_WT=draw(nps.arrays(dtype, shape, elements=logits)),
        end_WT=draw(nps.arrays(dtype, shape, elements=logits)),
        eligible_WT=draw(nps.arrays(np.bool_, shape)),
        char_start_WT=char_start_WT,
        char_end_WT=char_start_WT + 1,
        max_answer_tokens=draw(st.integers(1, 10)),
    )


@given(cases())
def test_the_best_span_is_that_of_a_double_loop_over_all_pairs(case: Case) -> None:
    spans = case.search(n_best=1)
    assert spans.first_WK.shape == (len(case.start_WT), 1)
    for window in range(len(case.start_WT)):
        assert found(spans, window) == case.ranking(window)[:1]


@given(cases(), st.integers(2, 9))
def test_n_best_spans_are_the_head_of_the_ranking_and_hold_enough_distinct_ranges(case: Case, n_best: int) -> None:
    spans = case.search(n_best)
    for window in range(len(case.start_WT)):
        given_spans, ranking = found(spans, window), case.ranking(window)
        assert given_spans == ranking[: len(given_spans)]
        distinct = {case.characters(window, span) for span in given_spans}
        assert len(distinct) >= n_best or given_spans == ranking


@given(cases(), st.integers(1, 9))
def test_scores_are_the_logits_of_the_first_and_last_token(case: Case, n_best: int) -> None:
    spans = case.search(n_best)
    assert spans.start_score_WK.dtype == spans.end_score_WK.dtype == np.float64
    for window in range(len(case.start_WT)):
        for nth, (first, last) in enumerate(found(spans, window)):
            assert spans.start_score_WK[window, nth] == case.start_WT[window, first]
            assert spans.end_score_WK[window, nth] == case.end_WT[window, last]


@given(cases(), st.integers(1, 3))
def test_log_sum_is_over_every_span_of_the_window_whatever_n_best(case: Case, n_best: int) -> None:
    log_sum_W = case.search(n_best).log_sum_W
    for window, log_sum in enumerate(log_sum_W):
        scores = [float(case.start_WT[window, i]) + float(case.end_WT[window, j]) for i, j in case.ranking(window)]
        assert log_sum == pytest.approx(np.logaddexp.reduce(scores) if scores else -np.inf, rel=1e-5, abs=1e-5)


def one_window(start: list[float], end: list[float], eligible: list[bool], **settings: Any) -> WindowSpans:
    return best_spans(np.array([start]), np.array([end]), np.array([eligible]), **settings)


@pytest.mark.parametrize("n_best", [1, 3])
def test_a_window_without_eligible_tokens_has_no_span(n_best: int) -> None:
    ranges = {"char_start_WT": np.array([[0, 1]]), "char_end_WT": np.array([[1, 2]])}
    spans = one_window([5.0, 5.0], [5.0, 5.0], [False, False], max_answer_tokens=3, n_best=n_best, **ranges)
    assert (spans.start_score_WK == -np.inf).all()
    assert (spans.end_score_WK == -np.inf).all()
    assert spans.log_sum_W.tolist() == [-np.inf]


def test_no_more_spans_are_given_than_it_takes() -> None:
    start_WT = np.arange(12.0).reshape(2, 6) % 5
    at = np.tile(np.arange(6), (2, 1))
    eligible_WT = np.array([[True] * 6, [True, False, False, False, False, True]])
    ranges = {"char_start_WT": at, "char_end_WT": at + 1}
    spans = best_spans(start_WT, start_WT, eligible_WT, max_answer_tokens=6, n_best=4, **ranges)
    assert spans.first_WK.shape == (2, 4)
    assert [len(found(spans, window)) for window in range(2)] == [4, 3]


def test_a_span_may_run_over_tokens_that_are_not_eligible() -> None:
    spans = one_window([1.0, 9.0, 0.0], [0.0, 9.0, 1.0], [True, False, True], max_answer_tokens=3)
    assert found(spans, 0) == [(0, 2)]


def test_an_answer_may_be_longer_than_the_window() -> None:
    spans = one_window([1.0, 0.0], [0.0, 1.0], [True, True], max_answer_tokens=30)
    assert found(spans, 0) == [(0, 1)]
    assert spans.log_sum_W[0] == pytest.approx(np.log(np.exp(1) + np.exp(2) + np.exp(1)))


def test_ties_go_to_the_earlier_then_to_the_shorter_span() -> None:
    spans = one_window([0.0] * 4, [0.0] * 4, [False, True, True, True], max_answer_tokens=3)
    assert found(spans, 0) == [(1, 1)]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extreme_logits_neither_overflow_nor_vanish(dtype: type[np.floating[Any]]) -> None:
    logits = np.array([[1e4, -1e4], [-1e4, -1e4]], dtype=dtype)
    spans = best_spans(logits, logits, np.ones((2, 2), dtype=np.bool_), max_answer_tokens=1)
    assert spans.log_sum_W.tolist() == pytest.approx([2e4, -2e4 + np.log(2)])
    assert spans.start_score_WK.tolist() == [[1e4], [-1e4]]


def test_padding_a_batch_changes_no_window() -> None:
    short = one_window([3.0, 1.0], [1.0, 2.0], [True, True], max_answer_tokens=4)
    padded = one_window([3.0, 1.0, 0.0, 0.0], [1.0, 2.0, 0.0, 0.0], [True, True, False, False], max_answer_tokens=4)
    assert found(short, 0) == found(padded, 0) == [(0, 1)]
    assert short.log_sum_W == pytest.approx(padded.log_sum_W)


def test_more_than_one_span_cannot_be_told_apart_without_character_ranges() -> None:
    at = np.array([[0]])
    for ranges in ({}, {"char_start_WT": at}, {"char_end_WT": at}):
        with pytest.raises(ValueError, match="n_best above 1 needs the tokens' character ranges"):
            one_window([0.0], [0.0], [True], max_answer_tokens=1, n_best=2, **ranges)
