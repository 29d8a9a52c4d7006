"""From all scored windows to the rows' answers: the best span against the null, n-best, probability.

Shapes: R rows, G rows that nothing speaks against, W windows, S spans that are kept of all rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ray_qa.reader.arrays import Bools, Ints
from ray_qa.reader.calibration import RAW, Decision, Scale
from ray_qa.reader.encoded import NO_REASON, REASONS, EncodedRows
from ray_qa.reader.ranking import RankedSpans, rank_spans
from ray_qa.reader.scoring import ScoredWindows
from ray_qa.records import Answer, Reason, Span
from ray_qa.settings import ReadingSettings

CERTAIN = 54 * math.log(2)
"""What is nearer to 1 than exp of minus this is 1 to the last bit of a float: no raw probability counts as nearer."""


def failed(reason: Reason, *, windows: int = 0, question_cut: bool = False) -> Answer:
    """The answer to a row that could not be read or scored."""
    return Answer(status="failed", reason=reason, windows=windows, question_cut=question_cut)


def choose_answers(
    encoded: EncodedRows,
    row_W: Ints,
    scored: ScoredWindows,
    contexts: Sequence[str | None],
    settings: ReadingSettings,
    decision: Decision,
) -> list[Answer]:
    """Choose each row's best span over all its windows, or no answer; one answer a row, in order.

    The null score is the minimum over the windows (the SQuAD v2 convention). A row abstains when null score − best
    span score is above ``null_threshold``, unless ``always_answer``.

    Args:
        encoded: R rows.
        row_W: the row of each window, ascending.
        scored: the windows.
        contexts: of the rows.
        settings: ``n_best`` and ``always_answer``.
        decision: ``null_threshold``, and what the raw probabilities of outcomes stand for.
    """
    rows = len(encoded)
    windows_R = np.bincount(row_W, minlength=rows)
    ranked = rank_spans(scored.candidates, row_W, rows, settings.n_best)
    unread_R = _first_reason(
        encoded.reason_R, context_missing=np.array([context is None for context in contexts], np.bool_)
    )
    reason_R = _first_reason(
        unread_R,
        out_of_memory=_any_window(~scored.fits_W, row_W, rows),
        not_finite=_any_window(~scored.finite_W, row_W, rows),
        context_no_text=np.diff(ranked.offsets) == 0,
    )
    good_G = np.flatnonzero(reason_R == NO_REASON)
    told = zip(
        reason_R.tolist(),
        np.where(unread_R == NO_REASON, windows_R, 0).tolist(),
        encoded.question_cut_R.astype(np.bool_).tolist(),
        strict=True,
    )
    chosen = zip(
        (contexts[row] or "" for row in good_G.tolist()),
        _spans(good_G, ranked, contexts),
        _outcomes(good_G, row_W, scored, ranked, decision, always_answer=settings.always_answer),
        strict=True,
    )
    return [
        _answer(*next(chosen), windows, cut)
        if code == NO_REASON
        else failed(REASONS[code], windows=windows, question_cut=cut)
        for code, windows, cut in told
    ]


def _first_reason(reason_R: Ints, **failing_R: Bools) -> Ints:
    """The reasons that rows have, and for rows that have none the first of these that they fail for."""
    for reason, fails_R in failing_R.items():
        reason_R = np.where((reason_R == NO_REASON) & fails_R, REASONS.index(reason), reason_R)
    return reason_R


def _any_window(is_W: Bools, row_W: Ints, rows: int) -> Bools:
    return np.bincount(row_W[is_W], minlength=rows) > 0


def _spans(good_G: Ints, ranked: RankedSpans, contexts: Sequence[str | None]) -> Iterator[tuple[Span, ...]]:
    """The best spans of the rows ``good_G``, with their texts."""
    starts, ends = ranked.start_S.tolist(), ranked.end_S.tolist()
    start_scores, end_scores = ranked.start_score_S.tolist(), ranked.end_score_S.tolist()
    offsets = ranked.offsets.tolist()
    for row in good_G.tolist():
        context, own = contexts[row] or "", slice(offsets[row], offsets[row + 1])
        yield tuple(
            [
                Span(text=context[start:end], start=start, end=end, start_score=start_score, end_score=end_score)
                for start, end, start_score, end_score in zip(
                    starts[own], ends[own], start_scores[own], end_scores[own], strict=True
                )
            ]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """What came of the scores of one row."""

    abstains: bool
    null_score: float
    log_partition: float
    confidence: float


def _outcomes(
    good_G: Ints,
    row_W: Ints,
    scored: ScoredWindows,
    ranked: RankedSpans,
    decision: Decision,
    *,
    always_answer: bool,
) -> Iterator[_Outcome]:
    """What came of the rows ``good_G``, which all have a window and a span."""
    window_from_G, window_to_G = np.searchsorted(row_W, good_G), np.searchsorted(row_W, good_G, side="right")
    best_G = ranked.offsets[good_G]
    null_score_G = scored.null_score_W[np.lexsort((scored.null_score_W, row_W))[window_from_G]]
    top_score_G = ranked.start_score_S[best_G] + ranked.end_score_S[best_G]
    abstains_G = (null_score_G - top_score_G > decision.null_threshold) & (not always_answer)
    log_sums = scored.log_sum_W.tolist()
    for first, end, abstains, null_score, outcome_score in zip(
        window_from_G.tolist(),
        window_to_G.tolist(),
        abstains_G.tolist(),
        null_score_G.tolist(),
        np.where(abstains_G, null_score_G, top_score_G).tolist(),
        strict=True,
    ):
        # Row by row, as NumPy's exponentials depend on the machine in their last bit.
        log_partition = log_sum_exp([null_score, *log_sums[first:end]])
        yield _Outcome(
            abstains=abstains,
            null_score=null_score,
            log_partition=log_partition,
            confidence=(
                null_confidence(outcome_score, log_partition, decision)
                if abstains
                else span_confidence(outcome_score, log_partition, decision)
            ),
        )


def _answer(context: str, spans: tuple[Span, ...], outcome: _Outcome, windows: int, question_cut: bool) -> Answer:
    top = spans[0]
    if not top.text.strip() or not 0 <= top.start < top.end <= len(context):
        return failed("offsets_wrong", windows=windows, question_cut=question_cut)
    return Answer(
        status="no_answer" if outcome.abstains else "answered",
        answer=None if outcome.abstains else top.text,
        span=top.text,
        start=top.start,
        end=top.end,
        start_score=top.start_score,
        end_score=top.end_score,
        null_score=outcome.null_score,
        log_partition=outcome.log_partition,
        confidence=outcome.confidence,
        windows=windows,
        n_best=spans,
        question_cut=question_cut,
    )


def span_confidence(score: float, log_partition: float, decision: Decision) -> float:
    """The confidence of a span of that score as the answer."""
    return confidence(score, log_partition, decision.span)


def null_confidence(null_score: float, log_partition: float, decision: Decision) -> float:
    """The confidence of no answer."""
    return confidence(null_score, log_partition, decision.null)


def confidence(outcome_score: float, log_partition: float, scale: Scale = RAW) -> float:
    """Probability of the outcome, from the raw one, exp(score − log_partition), by a scale.

    sigmoid(slope · ln raw − rest_slope · ln(1 − raw) + shift); with slopes 1 and shift 0 it is the raw probability
    itself: the outcome's share among all spans of all windows and the null.
    """
    log_raw = min(0.0, outcome_score - log_partition)
    log_rest = max(math.log(-math.expm1(log_raw)), -CERTAIN) if log_raw < 0 else -CERTAIN
    logit = scale.slope * log_raw - scale.rest_slope * log_rest + scale.shift
    return 1 / (1 + math.exp(-logit)) if logit > -700 else 0.0


def log_sum_exp(terms: list[float]) -> float:
    """log Σ exp(term), exact for terms of any size; −inf for none."""
    highest = max(terms, default=-math.inf)
    if highest == -math.inf:
        return -math.inf
    return highest + math.log(math.fsum([math.exp(term - highest) for term in terms]))
