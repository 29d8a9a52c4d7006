"""Evaluate, the whole way: predictions are judged, row by row, and what is said of them is computed from that."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ray_qa.data.gold import GoldRows, read_gold
from ray_qa.errors import InputError, OutputError, Problems, first_line
from ray_qa.evaluation.breakdowns import Breakdown, Figures, breakdowns, figures
from ray_qa.evaluation.changes import Comparison, Side, compare
from ray_qa.evaluation.config import EvaluateConfig
from ray_qa.judging.judge import (
    Judgement,
    check_has_kept_gold,
    check_shares_ids,
    has_scores,
    judge_against,
    judge_in_itself,
)
from ray_qa.judging.judged_rows import STATUSES, JudgedRows
from ray_qa.judging.predictions import Predictions, open_predictions
from ray_qa.metrics.squad import Convention, SquadScores, official_scores
from ray_qa.metrics.thresholds import ThresholdCurve, threshold_curve
from ray_qa.runs.live_line import counted
from ray_qa.runs.log import logged
from ray_qa.settings import check_kind
from ray_qa.storage import places
from ray_qa.storage.credentials import use_access
from ray_qa.storage.remote import Place, place_of

_LOG = logging.getLogger(__name__)
MOST_POINTS = 10_000
"""Of the threshold curve; of a longer one so many, evenly chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BestThreshold:
    """The null threshold under which a figure is highest."""

    threshold: float
    exact: float
    """Percent, as is F1."""
    f1: float
    answered: float
    """Share of rows, 0 to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """What other null thresholds would do to the same rows."""

    best_exact: BestThreshold
    best_f1: BestThreshold
    curve: ThresholdCurve


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationReport:
    """How good the predictions are, and what was judged against what."""

    predictions: str
    gold: str
    convention: Convention
    """The official SQuAD procedure that the figures equal: v2.0 if any gold row is unanswerable."""
    scores: SquadScores
    strict: SquadScores | None
    """The figures where a gold row without a prediction counts as wrong, where the procedure leaves such rows out."""
    all_rows: Figures
    """Of the rows that the official figures count, with intervals."""
    breakdowns: tuple[Breakdown, ...]
    thresholds: Thresholds | None
    """Where the predictions have scores."""
    comparison: Comparison | None
    unfinished: str | None = None
    """What the predictions lack, where they are the output of an annotate run that has not come to its end."""


def evaluate(config: EvaluateConfig) -> EvaluationReport:
    """Judge predictions against gold answers; write all figures to ``config.output`` if it is given.

    Raises:
        InputError: Gold or predictions cannot be read, or have no id in common.
        OutputError: ``config.output`` cannot be written.
        ConfigError: ``config`` is something else.
    """
    check_kind(config, EvaluateConfig)
    use_access(config.access)
    with logged("evaluate", config.log_format, quiet=config.quiet):
        return _evaluate(config)


def as_record(report: EvaluationReport) -> dict[str, Any]:
    """The report for programs: the official figures on top, without the curve."""
    record = asdict(report)
    scores: dict[str, Any] = record.pop("scores")
    if record["thresholds"] is not None:
        del record["thresholds"]["curve"]
    return record | scores


def _evaluate(config: EvaluateConfig) -> EvaluationReport:
    output = None if config.output is None else _check_output(place_of(config.output, "output"))
    problems = Problems()
    with problems.gather():
        gold = None if config.gold is None else read_gold(config.gold, config.id_column)
    with problems.gather():
        predictions = _opened(config, config.predictions, "predictions")
    problems.stop_here_if_any(InputError)
    if predictions.unfinished:
        _LOG.warning(f"NOT FINISHED: {predictions.unfinished}. Only what is there is judged.")
    if gold is None and config.compare is not None:
        check_has_kept_gold(predictions)
        gold = read_gold(config.predictions, config.id_column)
    judgement = _judged(predictions, gold, config)
    rows = judgement.rows
    is_counted_N = rows.is_present_N | (rows.convention == "v1.1")
    official = rows if is_counted_N.all() else rows.where(is_counted_N)
    _tell_of_missing_scores(predictions, official)
    report = EvaluationReport(
        predictions=config.predictions,
        gold=config.gold or config.predictions,
        convention=rows.convention,
        scores=judgement.scores,
        strict=_strict(rows, judgement.extra),
        all_rows=figures(official, config.seed),
        breakdowns=breakdowns(official, config.seed),
        thresholds=_thresholds(official),
        comparison=_comparison(config, Side(predictions=predictions, rows=rows), gold),
        unfinished=predictions.unfinished,
    )
    if output is not None:
        _write(output, report)
    return report


def _opened(config: EvaluateConfig, path: str, setting: str) -> Predictions:
    return open_predictions(
        path, prefix=config.prefix, partial=config.partial, id_column=config.id_column, setting=setting
    )


def _judged(predictions: Predictions, gold: GoldRows | None, config: EvaluateConfig) -> Judgement:
    if gold is None:
        return judge_in_itself(predictions, by=config.by)
    judgement = judge_against(predictions, gold, config.id_column, config.by)
    check_shares_ids(judgement, predictions, gold, config.id_column)
    return judgement


def _comparison(config: EvaluateConfig, side: Side, gold: GoldRows | None) -> Comparison | None:
    if config.compare is None or gold is None:
        return None
    other = _opened(config, config.compare, "compare")
    judgement = judge_against(other, gold, config.id_column)
    found = compare(side, Side(predictions=other, rows=judgement.rows), gold, config.seed)
    if found is None:
        raise InputError(
            f"`compare` must have rows that `predictions` has too, but {config.compare} shares none with "
            f"{config.predictions}"
        )
    return found


def _strict(rows: JudgedRows, extra: int) -> SquadScores | None:
    if rows.convention == "v1.1" or rows.is_present_N.all():
        return None
    return official_scores(
        has_answer_N=rows.has_answer_N,
        is_present_N=np.ones_like(rows.is_present_N),
        exact_N=rows.exact_N,
        f1_N=rows.f1_N,
        is_nothing_N=rows.is_nothing_N,
        convention=rows.convention,
        extra=extra,
    )


def _tell_of_missing_scores(predictions: Predictions, rows: JudgedRows) -> None:
    is_read_N = np.isin(rows.status_N, [STATUSES.index(status) for status in ("answered", "no_answer")])
    missing = int((is_read_N & ~np.isfinite(rows.margin_N)).sum())
    if missing and has_scores(predictions):
        _LOG.warning(
            f"the scores of {counted(missing, 'row')} are no numbers; they are left out of what null thresholds answer"
        )


def _thresholds(rows: JudgedRows) -> Thresholds | None:
    if not np.isfinite(rows.margin_N).any():
        return None
    curve = threshold_curve(rows.margin_N, rows.span_exact_N, rows.span_f1_N, rows.has_answer_N)

    def at(place: int) -> BestThreshold:
        return BestThreshold(
            threshold=float(curve.threshold_T[place]),
            exact=float(curve.exact_T[place]),
            f1=float(curve.f1_T[place]),
            answered=float(curve.answered_T[place]),
        )

    best_exact, best_f1 = curve.best(curve.exact_T), curve.best(curve.f1_T)
    return Thresholds(best_exact=at(best_exact), best_f1=at(best_f1), curve=curve.some(MOST_POINTS))


def _check_output(place: Place) -> Place:
    if isinstance(place, Path) and place.is_dir():
        raise OutputError(f"`output` must be a file to write, but {place} is a folder")
    return place


def _write(place: Place, report: EvaluationReport) -> None:
    record = as_record(report)
    if report.thresholds is not None:
        record["thresholds"]["curve"] = _points(report.thresholds.curve)
    try:
        places.make_folder(place.parent)
        places.publish(place, json.dumps(record, indent=2).encode() + b"\n")
    except OSError as error:
        raise OutputError(
            f"`output` must be a file that can be written, but {place} gives: {first_line(error)}"
        ) from error


def _points(curve: ThresholdCurve) -> dict[str, Sequence[float]]:
    return {
        "threshold": curve.threshold_T.tolist(),
        "exact": curve.exact_T.tolist(),
        "f1": curve.f1_T.tolist(),
        "answered": curve.answered_T.tolist(),
    }
