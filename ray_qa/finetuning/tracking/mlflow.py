"""Metrics on an MLflow tracking server."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ray_qa.errors import ConfigError, first_line, without_credentials
from ray_qa.finetuning.tracking.metrics_log import EVALUATED, TRAINED, Metrics, figures_of
from ray_qa.storage.places import publish, read
from ray_qa.storage.remote import Place

LONGEST_PARAM = 500
MLFLOW_ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "8",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


@dataclass(slots=True, kw_only=True)
class MLflow:
    """A run on a tracking server, which is the same one whenever the command is run again."""

    client: Any
    experiment: str
    run_name: str
    params: dict[str, str]
    id_place: Place
    run_id: str = ""

    @classmethod
    def open(cls, *, run_name: str, parameters: Mapping[str, Any], id_place: Place) -> MLflow:
        """Reach the server.

        Args:
            run_name: what to call the run.
            parameters: what to log as its parameters.
            id_place: file that holds the run's id, to go on with it when the command is run again.

        Raises:
            ConfigError: if it cannot be reached.
            ImportError: without mlflow.
        """
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
        return cls(
            client=client,
            experiment=experiment,
            run_name=run_name,
            params={name: str(value)[:LONGEST_PARAM] for name, value in parameters.items()},
            id_place=id_place,
        )

    @property
    def name(self) -> str:
        """What to call it in messages."""
        return f"mlflow at {_mlflow_uri()}"

    def begin(self) -> Mapping[str, float]:
        """Begin a run, or go on with that of an earlier command; says which steps the server has."""
        from mlflow.entities import Param

        with _mlflow_environment():
            run = self._earlier_run()
            if run is None:
                run = self.client.create_run(self.experiment, run_name=self.run_name)
                publish(self.id_place, run.info.run_id.encode())
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
            run = self.client.get_run(read(self.id_place).decode().strip())
        except FileNotFoundError:
            return None
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return None
            raise
        return run if run.info.lifecycle_stage == "active" else None

    def send(self, lines: Sequence[Metrics]) -> None:
        """Log lines in one request."""
        from mlflow.entities import Metric

        metrics = [
            Metric(name, value, round(line["time"] * 1000), int(line["step"]))
            for line in lines
            for name, value in figures_of(line)
        ]
        with _mlflow_environment():
            self.client.log_batch(self.run_id, metrics=metrics)

    def end(self, *, complete: bool) -> None:
        """Say how the run ended."""
        with _mlflow_environment():
            self.client.set_terminated(self.run_id, status="FINISHED" if complete else "FAILED")


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
