from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_qa.reader.answers import (
    Candidate,
    ScoredWindow,
    choose_answer,
    confidence,
    distinct_spans,
    failed,
    log_sum_exp,
)
from ray_qa.records import Answer
from ray_qa.settings import ReadingSettings

CONTEXT = "The quick—brown 🦊 jumps over the lazy 犬 again and again."
FEW = st.integers(-3, 3).map(float)  # whole numbers, so that ties are the rule
ANY = st.one_of(FEW, st.floats(-1e4, 1e4))


def candidate(start: int, end: int, start_score: float, end_score: float = 0.0) -> Candidate:
    return Candidate(start=start, end=end, start_score=start_score, end_score=end_score)


def window(*candidates: Candidate, null_score: float = 0.0) -> ScoredWindow:
    return ScoredWindow(
        candidates=candidates,
        null_score=null_score,
        log_sum=log_sum_exp([found.score for found in candidates]),
    )


@st.composite
def candidates(draw: st.DrawFn) -> Candidate:
    start = draw(st.sampled_from([at for at, character in enumerate(CONTEXT) if not character.isspace()]))
    return candidate(start, draw(st.integers(start + 1, len(CONTEXT))), draw(ANY), draw(ANY))


windows = st.builds(lambda found, null: window(*found, null_score=null), st.lists(candidates(), max_size=5), ANY)
rows = st.lists(windows, min_size=1, max_size=4).filter(lambda row: any(window.candidates for window in row))


def choose(row: list[ScoredWindow], **settings: object) -> Answer:
    return choose_answer(CONTEXT, row, ReadingSettings.model_validate(settings))


@given(rows)
def test_the_best_span_is_the_best_over_all_windows(row: list[ScoredWindow]) -> None:
    answer = choose(row)
    found = [one for window in row for one in window.candidates]
    best = max(found, key=lambda one: (one.score, -one.start, -one.end))
    assert (answer.start, answer.end) == (best.start, best.end)
    assert answer.start_score is not None
    assert answer.end_score is not None
    assert answer.start_score + answer.end_score == best.score
    assert answer.windows == len(row)


@given(rows)
def test_an_answer_is_always_a_slice_of_its_context(row: list[ScoredWindow]) -> None:
    answer = choose(row, always_answer=True, n_best=5)
    assert answer.answer == answer.span == CONTEXT[answer.start : answer.end]
    assert all(span.text == CONTEXT[span.start : span.end] for span in answer.n_best)


@given(rows, FEW)
def test_a_row_abstains_exactly_where_the_null_is_above_the_best_span_by_more_than_the_threshold(
    row: list[ScoredWindow], threshold: float
) -> None:
    answer = choose(row, null_threshold=threshold)
    lowest_null = min(window.null_score for window in row)
    best = max(one.score for window in row for one in window.candidates)
    assert answer.null_score == lowest_null
    assert answer.status == ("no_answer" if lowest_null - best > threshold else "answered")
    assert (answer.answer is None) == (answer.status == "no_answer")


@pytest.mark.parametrize(("null_score", "status"), [(3.0, "answered"), (3.0000001, "no_answer"), (1e4, "no_answer")])
def test_a_null_exactly_at_the_threshold_still_answers(null_score: float, status: str) -> None:
    row = [window(candidate(4, 9, 0.5, 0.5), null_score=null_score)]
    answer = choose(row, null_threshold=2.0)
    assert (answer.status, answer.span, answer.start, answer.end) == (status, "quick", 4, 9)


def test_always_answer_never_abstains_and_leaves_the_scores_as_they_are() -> None:
    row = [window(candidate(4, 9, -5.0), null_score=50.0)]
    answer = choose(row, always_answer=True, null_threshold=-100)
    assert (answer.status, answer.answer, answer.null_score) == ("answered", "quick", 50.0)
    assert answer.log_partition == choose(row).log_partition
    assert answer.confidence == pytest.approx(math.exp(-55))


@given(rows, st.integers(1, 6))
def test_n_best_spans_are_distinct_and_ordered_and_led_by_the_best(row: list[ScoredWindow], n_best: int) -> None:
    answer = choose(row, n_best=n_best)
    best_score: dict[tuple[int, int], float] = {}
    for one in (one for window in row for one in window.candidates):
        best_score[one.start, one.end] = max(one.score, best_score.get((one.start, one.end), -math.inf))
    wanted = sorted(best_score, key=lambda characters: (-best_score[characters], *characters))[:n_best]
    assert [(span.start, span.end) for span in answer.n_best] == wanted
    assert [span.score for span in answer.n_best] == [best_score[characters] for characters in wanted]
    assert (answer.start, answer.end) == wanted[0]


@given(rows, st.integers(1, 3))
def test_log_partition_sums_every_span_and_the_null_once_whatever_n_best(row: list[ScoredWindow], n_best: int) -> None:
    scores = [one.score for window in row for one in window.candidates]
    terms = [*scores, min(window.null_score for window in row)]
    answer = choose(row, n_best=n_best)
    assert answer.log_partition == pytest.approx(np.logaddexp.reduce(terms), rel=1e-12, abs=1e-9)


@given(rows, st.booleans())
def test_confidence_is_the_outcomes_share_of_the_partition(row: list[ScoredWindow], always_answer: bool) -> None:
    answer = choose(row, always_answer=always_answer)
    assert answer.null_score is not None
    best = max(one.score for window in row for one in window.candidates)
    outcome = answer.null_score if answer.status == "no_answer" else best
    assert answer.log_partition is not None
    assert answer.confidence == pytest.approx(math.exp(outcome - answer.log_partition), rel=1e-6, abs=1e-12)


def test_candidates_that_are_no_spans_are_passed_over() -> None:
    assert distinct_spans([candidate(0, 1, -math.inf, -math.inf), candidate(2, 3, -1e30)], 2) == [
        candidate(2, 3, -1e30)
    ]
    assert distinct_spans([], 3) == []


@pytest.mark.parametrize("sign", [1, -1])
def test_extreme_scores_give_finite_figures(sign: int) -> None:
    row = [window(candidate(4, 9, sign * 1e4, sign * 1e4), null_score=-sign * 2e4)]
    answer = choose(row)
    assert answer.status == ("answered" if sign > 0 else "no_answer")
    assert answer.log_partition == 2e4
    assert answer.confidence == 1.0
    assert choose(row, always_answer=True).confidence == (1.0 if sign > 0 else 0.0)


@given(st.floats(-600, -1e-9))
def test_uncalibrated_confidence_is_the_raw_probability(log_raw: float) -> None:
    assert confidence(log_raw, 0.0) == pytest.approx(math.exp(log_raw), rel=1e-6)
    assert confidence(log_raw + 1e3, 1e3) == pytest.approx(math.exp(log_raw), rel=1e-6)


def test_calibration_scales_and_shifts_the_logit() -> None:
    assert confidence(math.log(0.5), 0.0, slope=3, shift=0) == pytest.approx(0.5)
    assert confidence(math.log(0.8), 0.0, slope=2, shift=-1) == pytest.approx(1 / (1 + math.exp(1 - 2 * math.log(4))))


def test_rounding_cannot_lift_a_probability_above_one() -> None:
    assert confidence(5.0000001, 5.0) == 1.0
    assert confidence(-2e4, 2e4) == 0.0


def test_log_sum_exp_of_nothing_is_minus_infinity() -> None:
    assert log_sum_exp([]) == log_sum_exp([-math.inf, -math.inf]) == -math.inf
    assert log_sum_exp([1e5, 1e5]) == pytest.approx(1e5 + math.log(2))


@pytest.mark.parametrize(
    ("spoiled", "reason"),
    [
        (ScoredWindow(candidates=(), null_score=0.0, log_sum=0.0, finite=False), "not_finite"),
        (ScoredWindow(candidates=(), null_score=0.0, log_sum=0.0, out_of_memory=True), "out_of_memory"),
    ],
)
def test_one_spoiled_window_fails_its_row(spoiled: ScoredWindow, reason: str) -> None:
    row = [window(candidate(4, 9, 1.0)), spoiled]
    answer = choose_answer(CONTEXT, row, ReadingSettings(), question_cut=True)
    assert answer == Answer(status="failed", reason=reason, windows=2, question_cut=True)  # type: ignore[arg-type]  # reasons come as plain texts here


def test_a_row_without_candidates_fails() -> None:
    assert choose([window(), window()]) == failed("context_no_text", windows=2)
    assert choose_answer(CONTEXT, [], ReadingSettings()) == failed("context_no_text")


@pytest.mark.parametrize(("start", "end"), [(3, 4), (9, 9), (50, 500), (-9, 9)])
def test_a_range_that_is_no_text_of_the_context_fails_its_row(start: int, end: int) -> None:
    assert choose([window(candidate(start, end, 1.0))]) == failed("offsets_wrong", windows=1)


def test_a_threshold_moves_rows_one_way_only() -> None:
    row = [window(candidate(4, 9, 1.0), null_score=2.0)]
    statuses = [choose(row, null_threshold=threshold).status for threshold in np.linspace(-3, 3, 25).tolist()]
    assert {statuses[0], statuses[-1]} == {"no_answer", "answered"}
    assert sum(before != after for before, after in pairwise(statuses)) == 1
