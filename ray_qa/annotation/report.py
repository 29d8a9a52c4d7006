"""The page about an output, for those who ask for it: ``.ray_qa/report.html``."""

from __future__ import annotations

import logging

from ray_qa.annotation.config import AnnotateConfig
from ray_qa.errors import RayQaError
from ray_qa.reporting.report import REPORT, write_report
from ray_qa.runs.annotated_rows import open_source
from ray_qa.runs.log import notice

_LOG = logging.getLogger(__name__)


def report_on(config: AnnotateConfig) -> None:
    """Make the page of a finished output, and say where it is; where that cannot be, the output is none the worse."""
    place = config.folder / REPORT
    try:
        write_report(open_source(str(config.folder), partial=False, setting="output"), place)
    except RayQaError as error:
        _LOG.warning(f"the report could not be written: {error}")
        return
    notice(f"the report is {place}")
