"""What is said of a calibration that may be worth little, or nothing."""

from __future__ import annotations

import logging

from ray_qa.calibration.halves import Halves, contexts_of
from ray_qa.calibration.quality import LEAST_CONTEXTS, Quality
from ray_qa.calibration.report import CalibrationReport
from ray_qa.runs.live_line import counted
from ray_qa.runs.log import notice

_LOG = logging.getLogger(__name__)
FEW_ROWS = 1_000


def say_what_is_weak(report: CalibrationReport, halves: Halves) -> None:
    """Warn of halves that are small, and of what is worse on the other half than before."""
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
    before, after = report.before.ece.value, report.after.ece.value
    if report.is_as_before:
        notice("nothing has changed: the predictions are so calibrated already")
    elif after > max(before, report.after.ece_by_chance):
        _LOG.warning(
            f"confidence is no better for it on the other half (ECE {100 * after:.2f} %, "
            f"{100 * before:.2f} % before): the rows may be too few, or of too many kinds"
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
