"""Fitting: the null threshold under which answers are best, then what the confidence of each outcome stands for."""

from __future__ import annotations

from ray_qa.calibration.config import Optimize
from ray_qa.calibration.outcomes import is_answered, is_right, outcome_logits
from ray_qa.errors import InputError
from ray_qa.judging.judged_rows import Bools, Floats, JudgedRows
from ray_qa.metrics.calibration import LogisticFit, fit_logistic
from ray_qa.metrics.thresholds import threshold_curve
from ray_qa.reader.calibration import Decision

LEAST_ROWS = 50
"""Of an outcome for a fit of its own; below that both outcomes have one fit together."""


def fit(rows: JudgedRows, optimize: Optimize, null_threshold: float, *, always_answer: bool = False) -> Decision:
    """Fit all numbers of a decision.

    Args:
        rows: to fit on.
        optimize: the figure that the null threshold is to make highest; none: it stays as it is.
        null_threshold: as the predictions have it.
        always_answer: whether the predictions never abstain; of matter where the threshold stays.

    Raises:
        InputError: if all outcomes are right, or all are wrong.
    """
    if optimize != "none":
        null_threshold, always_answer = best_threshold(rows, optimize), False
    is_answered_N = is_answered(rows, null_threshold, always_answer=always_answer)
    logit_N, right_N = outcome_logits(rows, is_answered_N), is_right(rows, is_answered_N)
    if right_N.all() or not right_N.any():
        raise InputError(
            f"`predictions` must be right in some rows and wrong in others, but all {len(rows):,} to fit on are "
            f"{'right' if right_N.all() else 'wrong'}: there is nothing to fit confidence to"
        )
    kinds = (is_answered_N, ~is_answered_N)
    if all(_can_be_fitted(right_N[kind_N]) for kind_N in kinds):
        span, null = (fit_logistic(logit_N[kind_N], right_N[kind_N]) for kind_N in kinds)
    else:
        span = null = fit_logistic(logit_N, right_N)
    return _decision(null_threshold, span, null)


def best_threshold(rows: JudgedRows, optimize: Optimize) -> float:
    """The null threshold with the highest F1 or exact match."""
    curve = threshold_curve(rows.margin_N, rows.span_exact_N, rows.span_f1_N, rows.has_answer_N)
    scores_T: Floats = curve.exact_T if optimize == "exact" else curve.f1_T
    return float(curve.threshold_T[curve.best(scores_T)])


def _can_be_fitted(right_N: Bools) -> bool:
    return len(right_N) >= LEAST_ROWS and bool(right_N.any()) and not right_N.all()


def _decision(null_threshold: float, span: LogisticFit, null: LogisticFit) -> Decision:
    return Decision(
        null_threshold=null_threshold,
        slope=span.slope,
        shift=span.shift,
        null_slope=null.slope,
        null_shift=null.shift,
    )
