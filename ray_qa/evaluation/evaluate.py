"""Evaluate, the whole way: predictions against gold answers, as SQuAD exact match and F1."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ray_qa.data.gold import read_gold, read_predictions
from ray_qa.errors import InputError, OutputError, first_line
from ray_qa.evaluation.config import EvaluateConfig
from ray_qa.metrics.squad import Convention, SquadScores, convention_for, score_predictions
from ray_qa.runs.annotated_output import annotated_output
from ray_qa.runs.log import logged
from ray_qa.settings import check_kind
from ray_qa.storage import places
from ray_qa.storage.credentials import use_access
from ray_qa.storage.remote import Place, place_of


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationReport:
    """How good the predictions are, and what was judged against what."""

    predictions: str
    gold: str
    convention: Convention
    """The official SQuAD procedure that the figures equal: v2.0 if any gold row is unanswerable."""
    scores: SquadScores
    unfinished: str | None = None
    """What the predictions lack, where they are the output of an annotate run that has not come to its end."""


def evaluate(config: EvaluateConfig) -> EvaluationReport:
    """Judge predictions against gold answers; write the scores to ``config.output`` if it is given.

    Raises:
        InputError: Gold or predictions cannot be read, or have no id in common.
        OutputError: ``config.output`` cannot be written.
        ConfigError: ``config`` is something else.
    """
    check_kind(config, EvaluateConfig)
    use_access(config.access)
    with logged("evaluate", config.log_format, quiet=config.quiet):
        return _evaluate(config)


def describe(report: EvaluationReport) -> str:
    """The report as a short table in plain text, figures in percent."""
    scores = report.scores
    lines = [
        *([] if report.unfinished is None else [f"not finished: {report.unfinished}"]),
        f"SQuAD {report.convention} scores of {report.predictions} against {report.gold}",
        f"{'':<12}{'exact':>8}{'f1':>8}{'rows':>10}",
        _line("all", scores.exact, scores.f1, scores.total),
        _line("has answer", scores.has_answer_exact, scores.has_answer_f1, scores.has_answer_total),
        _line("no answer", scores.no_answer_exact, scores.no_answer_f1, scores.no_answer_total),
    ]
    if scores.missing:
        fate = "scored 0" if report.convention == "v1.1" else "left out"
        lines.append(f"gold rows without a prediction, {fate}: {scores.missing:,}")
    if scores.extra:
        lines.append(f"predictions without a gold row, ignored: {scores.extra:,}")
    return "\n".join(lines)


def as_record(report: EvaluationReport) -> dict[str, Any]:
    """The report for programs."""
    record = asdict(report)
    scores: dict[str, Any] = record.pop("scores")
    return record | scores


def _evaluate(config: EvaluateConfig) -> EvaluationReport:
    output = None if config.output is None else _check_output(place_of(config.output, "output"))
    golds = read_gold(config.gold, config.id_column)
    predictions = read_predictions(config.predictions, config.id_column, config.prefix)
    _check_overlap(golds, predictions)
    report = EvaluationReport(
        predictions=config.predictions,
        gold=config.gold,
        convention=convention_for(golds),
        scores=score_predictions(golds, predictions),
        unfinished=_unfinished(place_of(config.predictions, "predictions")),
    )
    if output is not None:
        _write_scores(output, report.scores)
    return report


def _unfinished(folder: Place) -> str | None:
    output = annotated_output(folder)
    return None if output is None else output.unfinished


def _line(rows: str, exact: float | None, f1: float | None, total: int) -> str:
    figures = "".join(f"{'-' if figure is None else format(figure, '.2f'):>8}" for figure in (exact, f1))
    return f"{rows:<12}{figures}{total:>10,}"


def _check_output(place: Place) -> Place:
    if isinstance(place, Path) and place.is_dir():
        raise OutputError(f"`output` must be a file to write, but {place} is a folder")
    return place


def _check_overlap(golds: Mapping[str, object], predictions: Mapping[str, object]) -> None:
    if golds.keys().isdisjoint(predictions):
        raise InputError(
            f"`predictions` must share ids with `gold`, but none of its {_ids(predictions)} "
            f"is among the {_ids(golds)} of `gold`"
        )


def _ids(rows: Mapping[str, object]) -> str:
    example = f" (such as {next(iter(rows))!r})" if rows else ""
    return f"{len(rows):,} ids{example}"


def _write_scores(place: Place, scores: SquadScores) -> None:
    try:
        places.make_folder(place.parent)
        places.publish(place, json.dumps(asdict(scores), indent=2).encode() + b"\n")
    except OSError as error:
        raise OutputError(
            f"`output` must be a file that can be written, but {place} gives: {first_line(error)}"
        ) from error
