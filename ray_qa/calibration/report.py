"""What calibrate has to say, for programs and for people."""

from __future__ import annotations

from dataclasses import dataclass

from ray_qa.calibration.quality import Quality
from ray_qa.reader.calibration import Calibration


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrationReport:
    """What was fitted, and what it is worth on the rows that it was not fitted on."""

    predictions: str
    gold: str
    place: str
    """Where the calibration lies now."""
    calibration: Calibration
    before: Quality
    """The predictions as they are."""
    threshold_before: float | None
    """``None``: they never abstain."""
    after: Quality
    """The same rows by the calibration."""
    held_contexts: int
    group: str
    """What rows that belong together share: the column ``split_by``, or the context."""
    failed: int
    """Rows without scores, of no use here."""
    missing: int
    """Gold rows without a prediction."""
    unfinished: str | None
    is_as_before: bool
    """Whether the predictions are so calibrated already."""
