"""Handing the metrics of a run on to TensorBoard and MLflow, from the process that started it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ray_qa.config import FinetuneConfig
from ray_qa.errors import ConfigError
from ray_qa.metrics_log import Metrics

Send = Callable[[Metrics], None]


@dataclass(slots=True, kw_only=True)
class Reports:
    """Where metrics go: every line of the log is sent once, in order."""

    sends: list[Send] = field(default_factory=list)
    closes: list[Callable[[], None]] = field(default_factory=list)
    sent: int = 0

    def update(self, lines: Sequence[Metrics]) -> None:
        """Send the lines that are new; after a resume the log may be shorter than it was."""
        for line in lines[self.sent :]:
            for send in self.sends:
                send(line)
        self.sent = len(lines)

    def close(self) -> None:
        """Send what is still under way."""
        for close in self.closes:
            close()


def open_reports(config: FinetuneConfig, folder: Path) -> Reports:
    """Open what ``report_to`` names.

    Raises:
        ConfigError: if its package is not installed, or its server cannot be reached.
    """
    reports = Reports()
    for name in config.report_to:
        try:
            {"tensorboard": _tensorboard, "mlflow": _mlflow}[name](reports, config, folder)
        except ImportError as error:
            raise ConfigError(
                f"`report_to` must name what is installed, but {name} is not; pip install 'ray_qa[{name}]'"
            ) from error
    return reports


def _tensorboard(reports: Reports, config: FinetuneConfig, folder: Path) -> None:
    raise NotImplementedError


def _mlflow(reports: Reports, config: FinetuneConfig, folder: Path) -> None:
    raise NotImplementedError
