"""How right the answers are, where gold answers are known: figures, reliability, risk and coverage, and each row."""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ray_qa.data.gold import ANSWERS, GoldRows, read_gold
from ray_qa.errors import InputError, first_line
from ray_qa.judging.judge import check_shares_ids, judge_against, judge_in_itself
from ray_qa.judging.judged_rows import JudgedRows
from ray_qa.judging.predictions import open_predictions
from ray_qa.metrics.bootstrap import Interval, mean_interval
from ray_qa.metrics.calibration import Bin, error_by_chance, expected_calibration_error, reliability
from ray_qa.metrics.selective import risk_coverage
from ray_qa.reporting.samples import SampleRow, as_shown
from ray_qa.runs.annotated_rows import Source

_LOG = logging.getLogger(__name__)
Floats = npt.NDArray[np.float64]

MOST_POINTS, FEWEST_KEPT = 300, 20
"""Of a curve, and rows that its first point stands for."""
MOST_BY_CHANCE = 50_000
MOST_WRONG = 40
"""Rows that are wrong and sure of it, to look at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A share of rows in percent, with its 95 % interval over contexts."""

    percent: float
    interval: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Correctness:
    """What is known of the rows that have gold answers."""

    gold: str | None
    """Where these are from; ``None`` where the output has kept them."""
    rows: int
    convention: str
    exact: Figure
    f1: Figure
    reliability: Reliability | None
    """Where rows have a confidence, as is the next."""
    risk: Risk | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """Confidence held against how often it is right."""

    bins: tuple[Bin, ...]
    error: float
    """Expected calibration error, 0 to 1."""
    by_chance: float | None
    """What it would be were confidence all right; not looked at where rows are so many that it is next to nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """How many of P > 0 numbers of rows are wrong, the surest kept."""

    coverage_P: Floats
    risk_P: Floats
    of_half: float
    area: float
    """Under the whole curve (AURC)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowJudged:
    """How right a row of the output is."""

    is_right: bool
    f1: float
    golds: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The rows of an output that have gold answers."""

    path: str | None
    gold: GoldRows | None
    """As they are given; ``None`` where the output has kept them."""
    rows: JudgedRows

    @property
    def surely_wrong(self) -> frozenset[int]:
        """The rows of the output that are wrong with the highest confidence."""
        rows = self.rows
        wrong = np.flatnonzero(~rows.exact_N & np.isfinite(rows.confidence_N))
        surest = wrong[np.argsort(-rows.confidence_N[wrong], kind="stable")[:MOST_WRONG]]
        return frozenset(rows.row_N[surest].tolist())

    def of(self, samples: Collection[SampleRow]) -> dict[int, RowJudged]:
        """Those of some rows, by their numbers, that have gold answers."""
        rows = self.rows
        kept = {each.row: each.golds for each in samples}
        places = np.flatnonzero(np.isin(rows.row_N, np.fromiter(kept, np.int64, len(kept))))
        return {
            (row := int(rows.row_N[place])): RowJudged(
                is_right=bool(rows.exact_N[place]),
                f1=float(rows.f1_N[place]),
                golds=kept[row] if self.gold is None else as_shown(self.gold.texts[int(place)].as_py()),
            )
            for place in places
        }


def judged(source: Source, gold_path: str | None, id_column: str) -> Judged | None:
    """Hold an output against its gold answers: those that a path leads to, or those that it has kept, if any.

    Raises:
        InputError: if what the path leads to cannot be read, or has no row in common.
    """
    folder = str(source.output.folder)
    predictions = open_predictions(folder, prefix="", partial=True, id_column=id_column, setting=source.setting)
    if gold_path is None:
        if not predictions.has(ANSWERS):
            return None
        try:
            return Judged(path=None, gold=None, rows=judge_in_itself(predictions).rows)
        except InputError as error:
            _LOG.warning(f"the column {ANSWERS!r} is taken for no gold answers: {first_line(error)}")
            return None
    gold = read_gold(gold_path, id_column)
    judgement = judge_against(predictions, gold, id_column)
    check_shares_ids(judgement, predictions, gold, id_column)
    return Judged(path=gold_path, gold=gold, rows=judgement.rows)


def correctness(judged: Judged) -> Correctness:
    """What the judged rows come to, all that are there counted alike."""
    rows = judged.rows.where(judged.rows.is_present_N)
    known = np.isfinite(rows.confidence_N)
    confidence_N, is_right_N = rows.confidence_N[known].astype(np.float64), rows.exact_N[known]
    return Correctness(
        gold=judged.path,
        rows=len(rows),
        convention=rows.convention,
        exact=_figure(rows.exact_N, rows.context_N),
        f1=_figure(rows.f1_N, rows.context_N),
        reliability=_reliability(confidence_N, is_right_N) if known.any() else None,
        risk=_risk(confidence_N, is_right_N) if known.any() else None,
    )


def _figure(values_N: npt.NDArray[Any], context_N: npt.NDArray[Any]) -> Figure:
    interval = mean_interval(values_N, context_N)
    return Figure(
        percent=100 * float(values_N.mean()), interval=Interval(low=100 * interval.low, high=100 * interval.high)
    )


def _reliability(confidence_N: Floats, is_right_N: npt.NDArray[np.bool_]) -> Reliability:
    return Reliability(
        bins=reliability(confidence_N, is_right_N),
        error=expected_calibration_error(confidence_N, is_right_N),
        by_chance=error_by_chance(confidence_N) if len(confidence_N) <= MOST_BY_CHANCE else None,
    )


def _risk(confidence_N: Floats, is_right_N: npt.NDArray[np.bool_]) -> Risk:
    curve = risk_coverage(confidence_N, ~is_right_N)
    first = min(FEWEST_KEPT, len(confidence_N)) - 1  # of fewer rows a share says little
    points = np.unique(np.linspace(first, len(confidence_N) - 1, MOST_POINTS).round().astype(int))
    return Risk(
        coverage_P=curve.coverage_N[points],
        risk_P=curve.risk_N[points],
        of_half=curve.risk_at(0.5),
        area=curve.aurc,
    )
