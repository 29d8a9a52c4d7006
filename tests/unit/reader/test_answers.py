from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ray_qa.reader.answers import choose_answers, confidence, failed, log_sum_exp
from ray_qa.reader.calibration import Scale, decision_by
from ray_qa.reader.encoded import NO_REASON, REASONS, EncodedRows
from ray_qa.reader.ranking import Candidates
from ray_qa.reader.scoring import ScoredWindows
from ray_qa.records import Answer, Reason
from ray_qa.settings import ReadingSettings
from tests.unit.reader.plain_choice import Candidate, ScoredWindow, choose_answer

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """A row with its windows."""

    windows: list[ScoredWindow]
    context: str | None = CONTEXT
    reason: Reason | None = None
    question_cut: bool = False


def arrays_of(windows: list[ScoredWindow]) -> ScoredWindows:
    found = [(number, one) for number, window in enumerate(windows) for one in window.candidates]
    return ScoredWindows(
        candidates=Candidates(
            window_C=np.array([number for number, _ in found], np.int64),
            start_C=np.array([one.start for _, one in found], np.int64),
            end_C=np.array([one.end for _, one in found], np.int64),
            start_score_C=np.array([one.start_score for _, one in found], np.float64),
            end_score_C=np.array([one.end_score for _, one in found], np.float64),
        ),
        null_score_W=np.array([window.null_score for window in windows], np.float64),
        log_sum_W=np.array([window.log_sum for window in windows], np.float64),
        finite_W=np.array([window.finite for window in windows], np.bool_),
        fits_W=np.array([not window.out_of_memory for window in windows], np.bool_),
    )


def choose_all(rows: list[Scored], **settings: object) -> list[Answer]:
    nothing, none = np.zeros(0, np.int64), np.zeros(len(rows), np.int64)
    encoded = EncodedRows(
        question_R=none,
        question_offsets=nothing,
        question_ids=nothing,
        question_cut_R=np.array([row.question_cut for row in rows], np.int8),
        context_R=none,
        context_offsets=nothing,
        context_ids=nothing,
        context_start=nothing,
        context_end=nothing,
        reason_R=np.array([NO_REASON if row.reason is None else REASONS.index(row.reason) for row in rows], np.int8),
    )
    wanted = ReadingSettings.model_validate(settings)
    return choose_answers(
        encoded,
        np.repeat(np.arange(len(rows)), [len(row.windows) for row in rows]),
        arrays_of([window for row in rows for window in row.windows]),
        [row.context for row in rows],
        wanted,
        decision_by(None, wanted.null_threshold),
    )


def choose(row: list[ScoredWindow], **settings: object) -> Answer:
    (answer,) = choose_all([Scored(windows=row)], **settings)
    return answer


def choose_plainly(row: Scored, **settings: object) -> Answer:
    if row.reason is not None or row.context is None:
        return failed(row.reason or "context_missing", question_cut=row.question_cut)
    wanted = ReadingSettings.model_validate(settings)
    return choose_answer(row.context, row.windows, wanted, question_cut=row.question_cut)


NOT_FINITE = ScoredWindow(candidates=(), null_score=0.0, log_sum=0.0, finite=False)
OUT_OF_MEMORY = ScoredWindow(candidates=(), null_score=0.0, log_sum=0.0, out_of_memory=True)
any_ranges = st.builds(candidate, st.integers(-2, 6), st.integers(-2, 70), ANY, ANY)
few_ranges = st.builds(candidate, st.integers(0, 2), st.integers(4, 5), FEW, FEW)
any_windows = st.one_of(
    windows,
    st.builds(
        lambda found, null: window(*found, null_score=null),
        st.lists(st.one_of(few_ranges, any_ranges), max_size=6),
        ANY,
    ),
    st.sampled_from([NOT_FINITE, OUT_OF_MEMORY]),
)
any_rows = st.builds(
    Scored,
    windows=st.lists(any_windows, max_size=4),
    context=st.sampled_from([CONTEXT, CONTEXT, CONTEXT, "Ich   ", None]),
    reason=st.sampled_from([None, None, None, "question_empty", "context_no_text"]),
    question_cut=st.booleans(),
)


@given(st.lists(any_rows, max_size=6), st.integers(1, 6), FEW, st.booleans())
@example([], 1, 0.0, False)
def test_rows_chosen_together_are_what_each_is_chosen_plainly_to_the_last_bit(
    together: list[Scored], n_best: int, threshold: float, always_answer: bool
) -> None:
    settings = {"n_best": n_best, "null_threshold": threshold, "always_answer": always_answer}
    answers = choose_all(together, **settings)
    # As text, which tells −0.0 from 0.0 and NumPy's numbers from Python's.
    assert list(map(repr, answers)) == [repr(choose_plainly(row, **settings)) for row in together]


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
    assert confidence(math.log(0.5), 0.0, Scale(slope=3, rest_slope=3, shift=0)) == pytest.approx(0.5)
    assert confidence(math.log(0.8), 0.0, Scale(slope=2, rest_slope=2, shift=-1)) == pytest.approx(
        1 / (1 + math.exp(1 - 2 * math.log(4)))
    )


def test_rounding_cannot_lift_a_probability_above_one() -> None:
    assert confidence(5.0000001, 5.0) == 1.0
    assert confidence(-2e4, 2e4) == 0.0


def test_log_sum_exp_of_nothing_is_minus_infinity() -> None:
    assert log_sum_exp([]) == log_sum_exp([-math.inf, -math.inf]) == -math.inf
    assert log_sum_exp([1e5, 1e5]) == pytest.approx(1e5 + math.log(2))


@pytest.mark.parametrize(("spoiled", "reason"), [(NOT_FINITE, "not_finite"), (OUT_OF_MEMORY, "out_of_memory")])
def test_one_spoiled_window_fails_its_row(spoiled: ScoredWindow, reason: Reason) -> None:
    row = Scored(windows=[window(candidate(4, 9, 1.0)), spoiled], question_cut=True)
    assert choose_all([row]) == [Answer(status="failed", reason=reason, windows=2, question_cut=True)]


def test_a_row_without_candidates_fails() -> None:
    assert choose([window(), window()]) == failed("context_no_text", windows=2)
    assert choose([]) == failed("context_no_text")


@pytest.mark.parametrize(("start", "end"), [(3, 4), (9, 9), (50, 500), (-9, 9)])
def test_a_range_that_is_no_text_of_the_context_fails_its_row(start: int, end: int) -> None:
    assert choose([window(candidate(start, end, 1.0))]) == failed("offsets_wrong", windows=1)


def test_a_threshold_moves_rows_one_way_only() -> None:
    row = [window(candidate(4, 9, 1.0), null_score=2.0)]
    statuses = [choose(row, null_threshold=threshold).status for threshold in np.linspace(-3, 3, 25).tolist()]
    assert {statuses[0], statuses[-1]} == {"no_answer", "answered"}
    assert sum(before != after for before, after in pairwise(statuses)) == 1


def test_a_raw_probability_of_1_is_no_more_than_the_next_to_it_once_calibrated() -> None:
    assert confidence(1.0, 1.0) == 1
    quarter = Scale(slope=0.25, rest_slope=0.25)
    assert confidence(1.0, 1.0, quarter) == confidence(0.0, 1e-17, quarter) < 1
