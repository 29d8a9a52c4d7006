"""What comes of rows under a null threshold: which are answered, which are right, and the raw probability of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ray_qa.judging.judged_rows import Bools, Floats, JudgedRows
from ray_qa.metrics.calibration import BetaFit
from ray_qa.reader.calibration import Decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """Of N rows: the best span, or no answer."""

    is_answered_N: Bools
    right_N: Bools
    """Official exact match, of the span or of no answer."""
    f1_N: Floats
    confidence_N: Floats

    def where(self, chosen_N: Bools) -> Outcomes:
        """Those of a mask."""
        return Outcomes(
            is_answered_N=self.is_answered_N[chosen_N],
            right_N=self.right_N[chosen_N],
            f1_N=self.f1_N[chosen_N],
            confidence_N=self.confidence_N[chosen_N],
        )


def are_alike(some: Outcomes, others: Outcomes) -> bool:
    """Whether the same rows are answered, as confidently to six digits: predictions have those of a float."""
    return np.array_equal(some.is_answered_N, others.is_answered_N) and np.allclose(
        some.confidence_N, others.confidence_N, rtol=0, atol=1e-6
    )


def outcomes_given(rows: JudgedRows) -> Outcomes:
    """What the predictions themselves say."""
    is_answered_N: Bools = rows.status_N == 0
    return Outcomes(
        is_answered_N=is_answered_N,
        right_N=is_right(rows, is_answered_N),
        f1_N=_f1(rows, is_answered_N),
        confidence_N=rows.confidence_N.astype(np.float64),
    )


def outcomes_by(rows: JudgedRows, decision: Decision, *, always_answer: bool = False) -> Outcomes:
    """What would come of the scores by other numbers, as annotate does it."""
    is_answered_N = is_answered(rows, decision.null_threshold, always_answer=always_answer)
    log_raw_N = log_of_outcomes(rows, is_answered_N)
    span, null = (BetaFit(**scale.model_dump()) for scale in (decision.span, decision.null))
    return Outcomes(
        is_answered_N=is_answered_N,
        right_N=is_right(rows, is_answered_N),
        f1_N=_f1(rows, is_answered_N),
        confidence_N=np.where(is_answered_N, span.probability(log_raw_N), null.probability(log_raw_N)),
    )


def is_answered(rows: JudgedRows, null_threshold: float, *, always_answer: bool) -> Bools:
    """Which rows are not left unanswered."""
    answered_N: Bools = (-rows.margin_N <= null_threshold) | always_answer
    return answered_N


def is_right(rows: JudgedRows, is_answered_N: Bools) -> Bools:
    """Which outcomes are right."""
    right_N: Bools = np.where(is_answered_N, rows.span_exact_N, rows.null_exact_N)
    return right_N


def log_of_outcomes(rows: JudgedRows, is_answered_N: Bools) -> Floats:
    """The logs of the outcomes' raw probabilities."""
    return np.where(is_answered_N, rows.span_log_N, rows.span_log_N - rows.margin_N)


def _f1(rows: JudgedRows, is_answered_N: Bools) -> Floats:
    null_f1_N = rows.null_exact_N & (rows.convention == "v2.0")  # by v1.1 no answer has no F1
    return np.where(is_answered_N, rows.span_f1_N, null_f1_N).astype(np.float64)
