"""Whether a corpus is like the rows that its model was calibrated on: if not, confidence may not be what it says."""

from __future__ import annotations

from collections.abc import Iterator

from ray_qa.annotation.config import AnnotateConfig
from ray_qa.reader.calibration import Calibration
from ray_qa.runs.part_labels import Counts
from ray_qa.settings import AUTO

LEAST_ROWS = 500
"""Fewer are unlike others by chance alone."""
SHARE_APART = 0.15
WINDOWS_APART = 0.5
"""Of the means over rows."""


def unlike_the_calibration(calibration: Calibration | None, counts: Counts, config: AnnotateConfig) -> str | None:
    """How the rows of a run differ from those that the calibration was fitted on, in a line, if they do."""
    if calibration is None or counts.rows - counts.failed < LEAST_ROWS:
        return None
    found = "; ".join(_differences(calibration, counts, config))
    if not found:
        return None
    return (
        f"the corpus is unlike the {calibration.fitted_on.rows:,} rows that the model was calibrated on ({found}): its "
        "confidence may be off; calibrate on rows of the corpus to know"
    )


def _differences(calibration: Calibration, counts: Counts, config: AnnotateConfig) -> Iterator[str]:
    own, rows = calibration.fitted_on, counts.rows - counts.failed
    share = counts.no_answer / rows
    is_comparable = config.null_threshold == AUTO and not config.always_answer
    if is_comparable and abs(share - own.no_answer_share) > SHARE_APART:
        yield f"{share:.0%} of rows have no answer here, {own.no_answer_share:.0%} there"
    windows = counts.windows / counts.rows
    if abs(windows - own.windows_per_row) > WINDOWS_APART:
        yield f"{windows:.2g} windows a row here, {own.windows_per_row:.2g} there"
