"""Handing the metrics of a run on to TensorBoard and MLflow, from the process that started it.

What was sent is known by its kind and step: the metrics log gets shorter where the workers go back to a
checkpoint, and a command that is run again meets what an earlier one has sent.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from ray_qa.errors import ConfigError, first_line, without_credentials
from ray_qa.finetuning.tracking.metrics_log import Metrics, kind_of
from ray_qa.finetuning.tracking.mlflow import MLflow
from ray_qa.finetuning.tracking.tensorboard import TensorBoard
from ray_qa.storage.remote import Place

RETRY_SECONDS = 30.0
LINES_AT_ONCE = 100
"""MLflow takes up to 1,000 numbers in one request, and a line has about eight."""
LastSteps = Mapping[str, float]
"""The last step that was sent, by kind of line."""


class Tracker(Protocol):
    """Where metrics go. Opening one touches nothing yet: the output may still be cleared, or have no room to run."""

    @property
    def name(self) -> str:
        """What to call it in messages."""

    def begin(self) -> LastSteps:
        """Get ready to receive; says what is there already. May be called again after a failure."""

    def send(self, lines: Sequence[Metrics]) -> None:
        """Take lines in."""

    def end(self, *, complete: bool) -> None:
        """No more will come; ``complete`` if the last step of the run was among what came."""


@dataclass(slots=True, kw_only=True)
class Feed:
    """One tracker and how far it has come. What goes wrong is told once and tried again; it never ends the run."""

    tracker: Tracker
    last_steps: dict[str, float] | None = None
    """``None``: to begin, for the first time or again."""
    warned: bool = False
    retry_at: float = 0.0

    def catch_up(self, lines: Sequence[Metrics]) -> None:
        """Send what the tracker does not have."""
        if not lines:
            return
        with self._never_failing():
            last = self.last_steps
            if last is None:
                last = self.last_steps = dict(self.tracker.begin())
            new = [line for line in lines if line["step"] > last.get(kind_of(line), -1)]
            for start in range(0, len(new), LINES_AT_ONCE):
                batch = new[start : start + LINES_AT_ONCE]
                self.tracker.send(batch)
                last.update({kind_of(line): line["step"] for line in batch})

    def end(self, *, complete: bool) -> None:
        """Close the tracker, if it was ever opened."""
        with self._never_failing():
            if self.last_steps is not None:
                self.tracker.end(complete=complete)

    @contextmanager
    def _never_failing(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            self.last_steps = None
            self.retry_at = time.monotonic() + RETRY_SECONDS
            if not self.warned:
                self.warned = True
                why = without_credentials(first_line(error))
                logging.getLogger(__name__).warning(
                    f"metrics do not reach {self.tracker.name}, training goes on without it and it is tried again "
                    f"from time to time: {why}"
                )


@dataclass(slots=True, kw_only=True)
class Trackers:
    """Where metrics go: every line of the log is sent once, in order."""

    feeds: list[Feed] = field(default_factory=list)
    lines: Sequence[Metrics] = ()

    def update(self, lines: Sequence[Metrics]) -> None:
        """Send the lines that are new; after a resume the log may be shorter than it was."""
        self.lines = lines
        for feed in self.feeds:
            if time.monotonic() >= feed.retry_at:
                feed.catch_up(lines)

    def close(self) -> None:
        """Send what could not be sent before, if that is possible now, and say that no more will come."""
        complete = any(line["step"] == line.get("steps") for line in self.lines)
        for feed in self.feeds:
            feed.catch_up(self.lines)
            feed.end(complete=complete)


def open_trackers(
    names: Sequence[str],
    *,
    run_name: str,
    parameters: Mapping[str, Any],
    tensorboard: Place,
    mlflow_run_id: Place,
) -> Trackers:
    """Open trackers.

    Args:
        names: which: ``tensorboard``, ``mlflow``.
        run_name: what to call the run.
        parameters: the settings of the run.
        tensorboard: folder for TensorBoard's event files.
        mlflow_run_id: file for the id of the run on MLflow's server.

    Raises:
        ConfigError: if its package is not installed, or its server cannot be reached.
    """
    trackers = Trackers()
    for name in dict.fromkeys(names):
        try:
            tracker: Tracker = (
                TensorBoard.open(tensorboard)
                if name == "tensorboard"
                else MLflow.open(run_name=run_name, parameters=parameters, id_place=mlflow_run_id)
            )
        except ImportError as error:
            raise ConfigError(
                f"`report_to` must name what is installed, but {name} is not; pip install 'ray_qa[{name}]'"
            ) from error
        trackers.feeds.append(Feed(tracker=tracker))
    return trackers
