"""Handing the metrics of a run on to TensorBoard and MLflow, from the process that started it.

What was sent is known by its kind and step: the metrics log gets shorter where a team of workers goes back to a
checkpoint, and a command that is run again meets what an earlier one has sent.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from ray_qa.config import FinetuneConfig
from ray_qa.errors import ConfigError, first_line
from ray_qa.metrics_log import Metrics
from ray_qa.storage import publish
from ray_qa.training_folder import OURS, TENSORBOARD

MLFLOW_RUN_ID = f"{OURS}/mlflow_run_id"
RETRY_SECONDS = 30.0
LINES_AT_ONCE = 100
"""MLflow takes up to 1,000 numbers in one request, and a line has about seven."""
LONGEST_PARAM = 500
NOT_METRICS = frozenset({"step", "steps", "time"})
EVALUATED, TRAINED = "eval_f1", "loss"
"""Every line of the log has one of the two; it tells which kind it is."""

MLFLOW_ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "8",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}

LastSteps = Mapping[str, float]
"""The last step that was sent, by kind of line."""


class Receiver(Protocol):
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
class Report:
    """One receiver and how far it has come. What goes wrong is told once and tried again; it never ends the run."""

    receiver: Receiver
    last_steps: dict[str, float] | None = None
    """``None``: to begin, for the first time or again."""
    warned: bool = False
    retry_at: float = 0.0

    def catch_up(self, lines: Sequence[Metrics]) -> None:
        """Send what the receiver does not have."""
        if not lines:
            return
        with self._never_failing():
            last = self.last_steps
            if last is None:
                last = self.last_steps = dict(self.receiver.begin())
            new = [line for line in lines if line["step"] > last.get(_kind(line), -1)]
            for start in range(0, len(new), LINES_AT_ONCE):
                batch = new[start : start + LINES_AT_ONCE]
                self.receiver.send(batch)
                last.update({_kind(line): line["step"] for line in batch})

    def end(self, *, complete: bool) -> None:
        """Close the receiver, if it was ever opened."""
        with self._never_failing():
            if self.last_steps is not None:
                self.receiver.end(complete=complete)

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
                print(
                    f"metrics do not reach {self.receiver.name}, training goes on without it and it is tried again "
                    f"from time to time: {why}",
                    file=sys.stderr,
                    flush=True,
                )


@dataclass(slots=True, kw_only=True)
class Reports:
    """Where metrics go: every line of the log is sent once, in order."""

    reports: list[Report] = field(default_factory=list)
    lines: Sequence[Metrics] = ()

    def update(self, lines: Sequence[Metrics]) -> None:
        """Send the lines that are new; after a resume the log may be shorter than it was."""
        self.lines = lines
        for report in self.reports:
            if time.monotonic() >= report.retry_at:
                report.catch_up(lines)

    def close(self) -> None:
        """Send what could not be sent before, if that is possible now, and say that no more will come."""
        complete = any(line["step"] == line.get("steps") for line in self.lines)
        for report in self.reports:
            report.catch_up(self.lines)
            report.end(complete=complete)


def open_reports(config: FinetuneConfig, folder: Path) -> Reports:
    """Open what ``report_to`` names.

    Raises:
        ConfigError: if its package is not installed, or its server cannot be reached.
    """
    reports = Reports()
    for name in dict.fromkeys(config.report_to):
        try:
            receiver: Receiver = _TensorBoard.open(folder) if name == "tensorboard" else _MLflow.open(config, folder)
        except ImportError as error:
            raise ConfigError(
                f"`report_to` must name what is installed, but {name} is not; pip install 'ray_qa[{name}]'"
            ) from error
        reports.reports.append(Report(receiver=receiver))
    return reports


@dataclass(slots=True, kw_only=True)
class _TensorBoard:
    """Event files in the output. They are written anew from the log each time the command is run."""

    make_writer: Callable[..., Any]
    folder: Path
    name: str = "TensorBoard's files"
    writer: Any = None

    @classmethod
    def open(cls, folder: Path) -> _TensorBoard:
        from tensorboardX import SummaryWriter

        return cls(make_writer=SummaryWriter, folder=folder / TENSORBOARD)

    def begin(self) -> LastSteps:
        if self.writer is not None:
            self.writer.close()
        earlier = len(list(self.folder.glob("events.out.tfevents.*")))
        self.writer = self.make_writer(
            logdir=str(self.folder),
            # TensorBoard then forgets all that earlier files hold; it reads files in the order of their names, which
            # begin with the second.
            purge_step=0 if earlier else None,
            filename_suffix=f".{earlier:04d}",
            # Its queue blocks for ever when it is full and the thread that empties it has died of a full disk.
            max_queue=1_000_000,
            flush_secs=2,
        )
        return {}

    def send(self, lines: Sequence[Metrics]) -> None:
        for line in lines:
            for name, value in _metrics(line):
                tag = name.replace("eval_", "eval/") if _kind(line) == EVALUATED else f"train/{name}"
                self.writer.add_scalar(tag, value, int(line["step"]), walltime=line["time"])

    def end(self, *, complete: bool) -> None:  # noqa: ARG002  # event files have no such mark
        self.writer.close()


@dataclass(slots=True, kw_only=True)
class _MLflow:
    """A run on a tracking server, which is the same one whenever the command is run again."""

    client: Any
    experiment: str
    run_name: str
    params: dict[str, str]
    id_path: Path
    run_id: str = ""

    @classmethod
    def open(cls, config: FinetuneConfig, folder: Path) -> _MLflow:
        from mlflow import MlflowClient

        with _mlflow_environment():
            try:
                client = MlflowClient()
                experiment = _experiment(client)
            except Exception as error:
                raise ConfigError(
                    f"`report_to` must name what can be reached, but mlflow at {_mlflow_uri()} gives: "
                    f"{without_credentials(first_line(error))}; start its server, or set MLFLOW_TRACKING_URI"
                ) from None
        settings = config.model_dump(mode="json")
        return cls(
            client=client,
            experiment=experiment,
            run_name=folder.name,
            params={name: str(value)[:LONGEST_PARAM] for name, value in settings.items()},
            id_path=folder / MLFLOW_RUN_ID,
        )

    @property
    def name(self) -> str:
        return f"mlflow at {_mlflow_uri()}"

    def begin(self) -> LastSteps:
        from mlflow.entities import Param

        with _mlflow_environment():
            run = self._earlier_run()
            if run is None:
                run = self.client.create_run(self.experiment, run_name=self.run_name)
                publish(self.id_path, run.info.run_id.encode())
            else:
                self.client.update_run(run.info.run_id, status="RUNNING")
            self.run_id = run.info.run_id
            # A param that is there cannot be changed, and those that may differ after a resume decide nothing.
            missing = [Param(name, value) for name, value in self.params.items() if name not in run.data.params]
            self.client.log_batch(self.run_id, params=missing)
            histories = {kind: self.client.get_metric_history(self.run_id, kind) for kind in (TRAINED, EVALUATED)}
        return {kind: max(metric.step for metric in history) for kind, history in histories.items() if history}

    def _earlier_run(self) -> Any:
        from mlflow.exceptions import MlflowException

        try:
            run = self.client.get_run(self.id_path.read_text().strip())
        except FileNotFoundError:
            return None
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise
        return run if run.info.lifecycle_stage == "active" else None

    def send(self, lines: Sequence[Metrics]) -> None:
        from mlflow.entities import Metric

        metrics = [
            Metric(name, value, round(line["time"] * 1000), int(line["step"]))
            for line in lines
            for name, value in _metrics(line)
        ]
        with _mlflow_environment():
            self.client.log_batch(self.run_id, metrics=metrics)

    def end(self, *, complete: bool) -> None:
        with _mlflow_environment():
            self.client.set_terminated(self.run_id, status="FINISHED" if complete else "FAILED")


def without_credentials(text: str) -> str:
    """The text without ``user:password@`` in its URIs."""
    return re.sub(r"://\S*@", "://", text)


def _kind(line: Metrics) -> str:
    return EVALUATED if EVALUATED in line else TRAINED


def _metrics(line: Metrics) -> Iterator[tuple[str, float]]:
    return ((name, float(value)) for name, value in line.items() if name not in NOT_METRICS)


def _mlflow_uri() -> str:
    from mlflow import get_tracking_uri

    return without_credentials(get_tracking_uri())


def _experiment(client: Any) -> str:
    """The id of the experiment that mlflow's environment variables name, else of the one that every server has."""
    if given := os.environ.get("MLFLOW_EXPERIMENT_ID"):
        return str(client.get_experiment(given).experiment_id)
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or "Default"
    experiment = client.get_experiment_by_name(name)
    return str(experiment.experiment_id if experiment else client.create_experiment(name))


@contextmanager
def _mlflow_environment() -> Iterator[None]:
    """Make mlflow's client give up within seconds, where the user has not said when, and keep it quiet.

    It takes such settings from nowhere else, would try for minutes, and prints URIs with their passwords.
    """
    missing = {name: value for name, value in MLFLOW_ENVIRONMENT.items() if name not in os.environ}
    retries = logging.getLogger("urllib3.connectionpool")
    level = retries.level
    os.environ.update(missing)
    retries.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        retries.setLevel(level)
        for name in missing:
            os.environ.pop(name, None)
