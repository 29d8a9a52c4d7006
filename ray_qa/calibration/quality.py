"""How good outcomes and their confidence are, with intervals over contexts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ray_qa.calibration.outcomes import Outcomes
from ray_qa.metrics.bootstrap import Interval, intervals_of, pivotal_of_distance
from ray_qa.metrics.calibration import (
    Bin,
    brier_score,
    error_by_chance,
    expected_calibration_error,
    log_loss,
    reliability,
)
from ray_qa.metrics.selective import RiskCoverage, risk_coverage

LEAST_CONTEXTS = 5
"""Of fewer the bootstrap draws the same few again and again: of one it would say that a figure is exact."""
COVERAGES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure and where it lies, with 95 % confidence; of too few contexts nobody can say."""

    value: float
    interval: Interval | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """How many of the most confident outcomes are wrong."""

    coverage: float
    """How large a part of the rows is taken, 0 to 1."""
    risk: Figure
    """Share of these that are wrong, 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Of some rows' outcomes; all figures 0 to 1, but for log loss. Right is what matches exactly."""

    rows: int
    exact: Figure
    f1: Figure
    answered: Figure
    """Share of rows."""
    confidence_rows: int
    """Rows whose confidence is judged by what follows: all, or the answered ones alone."""
    ece: Figure
    ece_by_chance: float
    """What ECE would be, in the mean, were each row exactly as probable as its confidence says."""
    brier: Figure
    log_loss: Figure
    aurc: Figure
    augrc: Figure
    risks: tuple[Risk, ...]
    reliability: tuple[Bin, ...]


def quality_of(outcomes: Outcomes, contexts_N: npt.NDArray[Any], seed: int, *, of_answers: bool = False) -> Quality:
    """All figures of N > 0 rows.

    Args:
        outcomes: theirs.
        contexts_N: what they belong to: rows of one context are drawn together.
        seed: of the intervals.
        of_answers: whether confidence is judged on answered rows alone, of which there must be one.
    """
    judged_N = outcomes.is_answered_N if of_answers else np.ones(len(contexts_N), np.bool_)
    judged = outcomes.where(judged_N)
    exact, f1, answered = _with_intervals(_shares, outcomes, contexts_N, seed)
    ece, brier, loss, aurc, augrc, *risks = _with_intervals(_of_confidence, judged, contexts_N[judged_N], seed)
    return Quality(
        rows=len(contexts_N),
        exact=exact,
        f1=f1,
        answered=answered,
        confidence_rows=len(judged.right_N),
        ece=_of_distance(ece),
        ece_by_chance=error_by_chance(judged.confidence_N, seed=seed),
        brier=brier,
        log_loss=loss,
        aurc=aurc,
        augrc=augrc,
        risks=tuple(Risk(coverage=at, risk=risk) for at, risk in zip(COVERAGES, risks, strict=True)),
        reliability=reliability(judged.confidence_N, judged.right_N),
    )


def _with_intervals(
    figures: Callable[[Outcomes, npt.NDArray[np.int64]], Sequence[float]],
    outcomes: Outcomes,
    contexts_N: npt.NDArray[Any],
    seed: int,
) -> list[Figure]:
    values = figures(outcomes, np.arange(len(contexts_N)))
    if len(np.unique(contexts_N)) < LEAST_CONTEXTS:
        return [Figure(value=value, interval=None) for value in values]
    intervals = intervals_of(lambda rows: figures(outcomes, rows), contexts_N, seed=seed)
    return [Figure(value=value, interval=interval) for value, interval in zip(values, intervals, strict=True)]


def _of_distance(figure: Figure) -> Figure:
    if figure.interval is None:
        return figure
    return Figure(value=figure.value, interval=pivotal_of_distance(figure.interval, figure.value))


def _shares(outcomes: Outcomes, rows: npt.NDArray[np.int64]) -> Sequence[float]:
    return (
        float(outcomes.right_N[rows].mean()),
        float(outcomes.f1_N[rows].mean()),
        float(outcomes.is_answered_N[rows].mean()),
    )


def _of_confidence(outcomes: Outcomes, rows: npt.NDArray[np.int64]) -> Sequence[float]:
    right_N, confidence_N = outcomes.right_N[rows], outcomes.confidence_N[rows]
    curve: RiskCoverage = risk_coverage(confidence_N, ~right_N)
    return (
        expected_calibration_error(confidence_N, right_N),
        brier_score(confidence_N, right_N),
        log_loss(confidence_N, right_N),
        curve.aurc,
        curve.augrc,
        *(curve.risk_at(coverage) for coverage in COVERAGES),
    )
