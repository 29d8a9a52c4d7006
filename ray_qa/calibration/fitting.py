"""Fitting: the null threshold under which answers are best, then what the confidence of each outcome stands for."""

from __future__ import annotations

from dataclasses import asdict, replace

from ray_qa.calibration.config import Optimize
from ray_qa.calibration.outcomes import is_answered, is_right, log_of_outcomes
from ray_qa.errors import InputError
from ray_qa.judging.judged_rows import Bools, Floats, JudgedRows
from ray_qa.metrics.calibration import fit_beta
from ray_qa.metrics.thresholds import threshold_curve
from ray_qa.reader.calibration import Decision, Scale

LEAST_ROWS = 20
"""Of an outcome for a fit of its own; below that both outcomes have one fit together, which tells less apart."""


def fit(rows: JudgedRows, optimize: Optimize, given: Decision, *, always_answer: bool = False) -> Decision:
    """Fit all numbers of a decision; where every row has an answer, confidence of a span alone, on answered rows.

    Args:
        rows: to fit on.
        optimize: the figure that the null threshold is to make highest; none: it stays as it is.
        given: what the predictions were made by.
        always_answer: whether the predictions never abstain; of matter where the threshold stays.

    Raises:
        InputError: if all outcomes are right, or all are wrong.
    """
    if optimize != "none":
        given, always_answer = replace(given, null_threshold=best_threshold(rows, optimize)), False
    if rows.has_answer_N.all():
        rows = rows.where(is_answered(rows, given.null_threshold, always_answer=always_answer))
        right_N = rows.span_exact_N
        _check_there_are_both(right_N)
        return replace(given, span=_scale(rows.span_log_N, right_N))
    is_answered_N = is_answered(rows, given.null_threshold, always_answer=always_answer)
    log_raw_N, right_N = log_of_outcomes(rows, is_answered_N), is_right(rows, is_answered_N)
    _check_there_are_both(right_N)
    kinds = (is_answered_N, ~is_answered_N)
    if all(_can_be_fitted(right_N[kind_N]) for kind_N in kinds):
        span, null = (_scale(log_raw_N[kind_N], right_N[kind_N]) for kind_N in kinds)
    else:
        span = null = _scale(log_raw_N, right_N)
    return replace(given, span=span, null=null)


def best_threshold(rows: JudgedRows, optimize: Optimize) -> float:
    """The null threshold with the highest F1 or exact match."""
    curve = threshold_curve(rows.margin_N, rows.span_exact_N, rows.span_f1_N, ~rows.null_exact_N)
    scores_T: Floats = curve.exact_T if optimize == "exact" else curve.f1_T
    return float(curve.threshold_T[curve.best(scores_T)])


def _scale(log_raw_N: Floats, right_N: Bools) -> Scale:
    return Scale(**asdict(fit_beta(log_raw_N, right_N)))


def _check_there_are_both(right_N: Bools) -> None:
    if right_N.all() or not right_N.any():
        raise InputError(
            f"`predictions` must be right in some rows and wrong in others, but all {len(right_N):,} to fit on are "
            f"{'right' if right_N.all() else 'wrong'}: there is nothing to fit confidence to"
        )


def _can_be_fitted(right_N: Bools) -> bool:
    return len(right_N) >= LEAST_ROWS and bool(right_N.any()) and not right_N.all()
