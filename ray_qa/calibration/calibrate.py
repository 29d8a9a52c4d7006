"""Calibrate, the whole way: predictions are judged, numbers fitted on one half, and judged themselves on the other."""

from __future__ import annotations

import logging
from dataclasses import asdict, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from ray_qa.calibration.config import CalibrateConfig, Optimize
from ray_qa.calibration.fitting import fit
from ray_qa.calibration.halves import check_are_enough, contexts_of, split
from ray_qa.calibration.model_card import tell_in_card
from ray_qa.calibration.outcomes import are_alike, outcomes_by, outcomes_given
from ray_qa.calibration.quality import quality_of
from ray_qa.calibration.report import CalibrationReport
from ray_qa.calibration.weaknesses import say_what_is_weak
from ray_qa.errors import InputError, ModelError, first_line
from ray_qa.judging.judge import Judgement, read_judgement
from ray_qa.judging.judged_rows import STATUSES, JudgedRows
from ray_qa.judging.predictions import Predictions, open_predictions
from ray_qa.reader.calibration import (
    SHOWN_DIGITS,
    Calibration,
    Decision,
    FittedOn,
    NoCalibrationError,
    calibration_place,
    from_settings,
    read_calibration,
    write_calibration,
)
from ray_qa.reader.model_files import find_model
from ray_qa.runs.annotated_output import AnnotatedOutput
from ray_qa.runs.cards import CARD
from ray_qa.runs.live_line import counted
from ray_qa.runs.log import logged, notice
from ray_qa.settings import check_kind
from ray_qa.storage.credentials import use_access
from ray_qa.storage.remote import Place, is_url, place_of

_LOG = logging.getLogger(__name__)
NEEDED = ("span", "start_score", "end_score", "null_score", "log_partition", "confidence", "status")


def calibrate(config: CalibrateConfig) -> CalibrationReport:
    """Fit a model's null threshold and confidence, show what they are worth, and put them where the model is.

    The card that finetune wrote there tells of it, too.

    Raises:
        InputError: if predictions or gold cannot be read or used.
        ModelError: if the predictions are another model's, or the calibration cannot be put where it is to lie.
        ConfigError: if ``config`` is something else.
    """
    check_kind(config, CalibrateConfig)
    use_access(config.access)
    with logged("calibrate", config.log_format, quiet=config.quiet):
        return _calibrate(config)


def as_record(report: CalibrationReport) -> dict[str, Any]:
    """The report for programs."""
    return asdict(report) | {"calibration": report.calibration.model_dump()}


def _calibrate(config: CalibrateConfig) -> CalibrationReport:
    predictions = open_predictions(config.predictions, prefix="", partial=config.partial, id_column=config.id_column)
    output = _output_of(predictions)
    place = _place(config, output)
    replaced = _replaced(place, config)
    if predictions.unfinished:
        _LOG.warning(f"NOT FINISHED: {predictions.unfinished}. Only what is there is fitted to.")
    judgement = _judged(predictions, config)
    rows = _scored(judgement.rows, predictions)
    optimize = _optimize(config, rows)
    always_answer = bool(output.settings.get("always_answer"))
    given = from_settings(output.settings)
    of_answers = bool(rows.has_answer_N.all())
    group = config.split_by or "context"
    halves = split(rows, config.seed, group)
    check_are_enough(halves, given.null_threshold if of_answers and not always_answer else None)
    decision = fit(halves.fitting, optimize, given, always_answer=always_answer)
    always_answer = always_answer and optimize == "none"
    calibration = _calibration(decision, halves.fitting, optimize, output, always_answer=always_answer)
    held = halves.held
    before, after = outcomes_given(held), outcomes_by(held, decision, always_answer=always_answer)
    report = CalibrationReport(
        predictions=config.predictions,
        gold=config.gold or config.predictions,
        place=str(place),
        calibration=calibration,
        before=quality_of(before, held.context_N, config.seed, of_answers=of_answers),
        threshold_before=None if output.settings.get("always_answer") else given.null_threshold,
        after=quality_of(after, held.context_N, config.seed, of_answers=of_answers),
        held_contexts=contexts_of(held),
        group=group,
        failed=int(judgement.rows.is_present_N.sum()) - len(rows),
        missing=int((~judgement.rows.is_present_N).sum()),
        unfinished=predictions.unfinished,
        is_as_before=are_alike(before, after),
    )
    say_what_is_weak(report, halves, after)
    if replaced is not None:
        notice(
            f"{place} had a calibration fitted on {counted(replaced.fitted_on.rows, 'row')}, with null threshold "
            f"{replaced.null_threshold:.4g}, and is replaced"
        )
    write_calibration(calibration, place)
    if config.output is None:
        _tell_in_card(report, place.parent / CARD)
    return report


def _output_of(predictions: Predictions) -> AnnotatedOutput:
    """What made the predictions: without it nobody knows which model they are of."""
    if predictions.output is None:
        raise InputError(
            f"`predictions` must be a folder that annotate wrote, with its plan, but {predictions.path} has none"
        )
    for name in NEEDED:
        predictions.check_column(predictions.ours(name))
    return predictions.output


def _place(config: CalibrateConfig, output: AnnotatedOutput) -> Place:
    """Where the calibration is to lie; the model, where it is named, must be that of the predictions."""
    if config.model is not None:
        weights = find_model(config.model).weights_sha256
        if weights != output.weights_sha256:
            raise ModelError(
                f"`model` must be the one that made `predictions`, but {config.model} has other weights "
                f"({output.weights_sha256[:SHOWN_DIGITS]} there, {weights[:SHOWN_DIGITS]} in the model)"
            )
    if config.output is not None:
        return _output_place(config.output)
    assert config.model is not None
    place = place_of(config.model, "model")
    if not is_url(config.model) and not place.is_dir():  # type: ignore[union-attr]  # what is no URL is a path
        raise ModelError(
            f"`output` must be given where `model` is no folder that a calibration can be put into, but is "
            f"{config.model!r}"
        )
    return calibration_place(place)


def _replaced(place: Place, config: CalibrateConfig) -> Calibration | None:
    try:
        return read_calibration(place)
    except NoCalibrationError as error:
        raise ModelError(
            f"`{'model' if config.output is None else 'output'}` must have room for a calibration, but {place} is in "
            "the way and calibrate did not write it; move it away, or name another place by --output"
        ) from error


def _output_place(output: str) -> Place:
    place = place_of(output, "output")
    is_folder = isinstance(place, Path) and place.is_dir()
    suffix = PurePosixPath(place.name).suffix
    if suffix and suffix != ".json" and not is_folder:
        raise ModelError(
            f"`output` must be a folder, or a file ending in .json, but {output} ends in {suffix}; name another, or "
            "make the folder first"
        )
    return calibration_place(place)


def _judged(predictions: Predictions, config: CalibrateConfig) -> Judgement:
    """Judge the rows; those that are to fall into the same half are told by ``context_N``."""
    if config.split_by is not None:
        predictions.check_column(config.split_by)
        predictions = replace(predictions, context_column=config.split_by)
    elif not predictions.has(predictions.context_column):
        _LOG.warning(
            f"`predictions` have no column {predictions.context_column!r}: rows of one context may fall into both "
            "halves, and figures be too good; keep it, or name another with --split-by"
        )
    return read_judgement(predictions, config.gold, config.id_column)


def _scored(rows: JudgedRows, predictions: Predictions) -> JudgedRows:
    """The rows that have a prediction that has not failed.

    Raises:
        InputError: if there is none, one has no finite scores, or no gold row has an answer.
    """
    is_scored_N = rows.is_present_N & (rows.status_N != STATUSES.index("failed"))
    scored = rows.where(is_scored_N)
    if not len(scored):
        raise InputError(f"`predictions` must have rows that have not failed, but {predictions.path} has none")
    is_finite_N = np.isfinite(scored.margin_N) & np.isfinite(scored.span_log_N) & np.isfinite(scored.confidence_N)
    if not is_finite_N.all():
        row = int(scored.row_N[np.argmin(is_finite_N)]) + 1
        raise InputError(
            f"`predictions` must have finite scores in all rows that have not failed, but row {row:,} of "
            f"{predictions.path} has not"
        )
    if not scored.has_answer_N.any():
        raise InputError(
            f"`gold` must have answers, but all {len(scored):,} rows that `predictions` shares with it are without one"
        )
    return scored


def _optimize(config: CalibrateConfig, rows: JudgedRows) -> Optimize:
    if not rows.has_answer_N.all():
        return config.optimize
    notice(
        "all gold rows have an answer: nothing says when to abstain, nor how sure an abstention is; the null threshold "
        "and the confidence of no answer stay as they are, and confidence is fitted to answered rows alone"
    )
    return "none"


def _calibration(
    decision: Decision, fitting: JudgedRows, optimize: Optimize, output: AnnotatedOutput, *, always_answer: bool
) -> Calibration:
    answered_N = outcomes_by(fitting, decision, always_answer=always_answer).is_answered_N
    windows_N = fitting.windows_N[fitting.windows_N > 0]
    return Calibration(
        null_threshold=decision.null_threshold,
        span=decision.span,
        null=decision.null,
        weights_sha256=output.weights_sha256,
        optimized=optimize,
        fitted_on=FittedOn(
            rows=len(fitting),
            contexts=contexts_of(fitting),
            windows_per_row=float(windows_N.mean()) if len(windows_N) else 1.0,
            no_answer_share=float((~answered_N).mean()),
            unanswerable_share=float((~fitting.has_answer_N).mean()),
        ),
    )


def _tell_in_card(report: CalibrationReport, card: Place) -> None:
    try:
        tell_in_card(report, card)
    except OSError as error:
        _LOG.warning(f"{card} cannot be written to, and does not tell of the calibration: {first_line(error)}")
