"""What is said of a calibration that may be worth little, or nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import numpy as np

from ray_qa.calibration.halves import LEAST_ROWS, Halves, contexts_of
from ray_qa.calibration.outcomes import Outcomes
from ray_qa.calibration.quality import LEAST_CONTEXTS, Quality
from ray_qa.calibration.report import CalibrationReport
from ray_qa.metrics.calibration import LEAST, REST_SLOPES, SHIFTS, SLOPES
from ray_qa.reader.calibration import Calibration
from ray_qa.runs.live_line import counted
from ray_qa.runs.log import notice

_LOG = logging.getLogger(__name__)
FEW_ROWS = 1_000
LEAST_ODDS = 1.1
"""What the odds of the surest in nine of ten rows are to those of the least sure, or there is nothing between them."""


def say_what_is_weak(report: CalibrationReport, halves: Halves, after: Outcomes) -> None:
    """Warn of halves that are small, of what is worse on the other half than before, and of what tells nothing.

    Args:
        report: what was fitted, and what it is worth.
        halves: what it was fitted to, and judged on.
        after: what came of the rows it was judged on.
    """
    fewest = min(len(halves.fitting), len(halves.held))
    if fewest < FEW_ROWS:
        seen = ", as their intervals say" if contexts_of(halves.held) >= LEAST_CONTEXTS else ""
        _LOG.warning(f"only {counted(fewest, 'row')} in a half: all figures are rough{seen}")
    fewest = min(contexts_of(halves.fitting), contexts_of(halves.held))
    if fewest < LEAST_CONTEXTS:
        _LOG.warning(
            f"only {counted(fewest, report.group)} in a half: what is fitted may suit these alone, and figures of "
            f"fewer than {LEAST_CONTEXTS} have no intervals"
        )
    _say_if_the_threshold_is_worse(report)
    if report.is_as_before:
        notice("nothing has changed: the predictions are so calibrated already")
    elif worse := ", ".join(_what_is_worse(report.before, report.after)):
        _LOG.warning(
            f"confidence is no better for it on the other half ({worse}): the rows may be too few, or of too many kinds"
        )
    _say_what_is_at_a_bound(report.calibration)
    _say_what_tells_nothing_apart(report, after)


def _what_is_worse(before: Quality, after: Quality) -> Iterator[str]:
    """Of the figures that judge confidence, those that are worse by the digits that are shown."""
    if after.ece.value > max(before.ece.value, after.ece_by_chance):
        yield f"ECE {100 * after.ece.value:.2f} %, {100 * before.ece.value:.2f} % before"
    ours, theirs = round(100 * after.brier.value, 2), round(100 * before.brier.value, 2)
    if ours > theirs:
        yield f"Brier score {ours:.2f} %, {theirs:.2f} % before"
    ours, theirs = round(after.log_loss.value, 2), round(before.log_loss.value, 2)
    if ours > theirs:
        yield f"log loss {ours:.2f}, {theirs:.2f} before"


def _say_what_is_at_a_bound(calibration: Calibration) -> None:
    for name, scale in (("a span", calibration.span), ("no answer", calibration.null)):
        pairs = ((scale.slope, SLOPES), (scale.rest_slope, REST_SLOPES), (abs(scale.shift), SHIFTS))
        if any(value >= bounds[1] for value, bounds in pairs):
            _LOG.warning(f"confidence of {name} is at a bound of the fit: do not trust it; have more rows")
        elif any(value <= bounds[0] for value, bounds in pairs):
            notice(
                f"a slope of the confidence of {name} is at its lowest bound: with less, confidence would fall as the "
                "raw probability rises"
            )


def _say_what_tells_nothing_apart(report: CalibrationReport, after: Outcomes) -> None:
    is_null_judged = report.after.confidence_rows == report.after.rows
    for name, of_N in (("a span", after.is_answered_N), ("no answer", ~after.is_answered_N & is_null_judged)):
        if of_N.sum() < LEAST_ROWS:
            continue
        low, high = np.percentile(np.clip(after.confidence_N[of_N], LEAST, 1 - LEAST), (5, 95))
        if high * (1 - low) < LEAST_ODDS * low * (1 - high):
            _LOG.warning(
                f"confidence of {name} tells nothing apart: it is {low:.4g} to {high:.4g} in nine of ten rows of the "
                "other half; have more rows with gold answers"
            )


def _say_if_the_threshold_is_worse(report: CalibrationReport) -> None:
    wanted = report.calibration.optimized
    if wanted == "none":
        return
    after, before = (_wanted(quality, exact=wanted == "exact") for quality in (report.after, report.before))
    if after < before:
        _LOG.warning(
            f"the null threshold is worse than the one before on the other half "
            f"({'exact match' if wanted == 'exact' else 'F1'} {100 * after:.2f}, {100 * before:.2f} before): have more "
            "rows with gold answers, or keep it by --optimize none"
        )


def _wanted(quality: Quality, *, exact: bool) -> float:
    return (quality.exact if exact else quality.f1).value
