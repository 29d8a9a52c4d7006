from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from mlflow import MlflowClient

from ray_qa.errors import ConfigError
from ray_qa.finetuning.config import FinetuneConfig
from ray_qa.finetuning.tracking import trackers
from ray_qa.finetuning.tracking.metrics_log import Metrics
from ray_qa.finetuning.tracking.mlflow import MLFLOW_ENVIRONMENT
from tests.unit.finetuning.metrics_lines import STEPS, config, expected_points, log_until, single, trackers_of, trained


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An output folder as it is when metrics begin to come."""
    (tmp_path / "out/.ray_qa").mkdir(parents=True)
    return tmp_path / "out"


def closed_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@dataclass
class TrackingServer:
    """MLflow's own tracking server with a database, in a process of its own."""

    folder: Path
    port: int = field(default_factory=closed_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(tracking_uri=self.uri)

    def start(self) -> None:
        stores = {
            "_MLFLOW_SERVER_FILE_STORE": f"sqlite:///{self.folder}/mlflow.db",
            "_MLFLOW_SERVER_ARTIFACT_ROOT": str(self.folder / "artifacts"),
        }
        command = [sys.executable, "-m", "flask", "--app", "mlflow.server", "run", "--port", str(self.port)]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, env=os.environ | stores, stdout=log, stderr=log)
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{self.uri}/health", timeout=5).close()
                return
            except OSError:
                assert self.process.poll() is None, (self.folder / "log").read_text()
                time.sleep(0.1)
        raise AssertionError("MLflow's server does not start")

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@pytest.fixture(scope="module")
def a_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrackingServer]:
    server = TrackingServer(tmp_path_factory.mktemp("mlflow"))
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(autouse=True)
def _no_settings_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("MLFLOW_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")


@pytest.fixture
def server(a_server: TrackingServer, monkeypatch: pytest.MonkeyPatch) -> TrackingServer:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", a_server.uri)
    return a_server


def run_id(folder: Path) -> str:
    return (folder / ".ray_qa/mlflow_run_id").read_text()


def tracked_points(server: TrackingServer, run: str) -> dict[str, list[tuple[int, float, float]]]:
    """What MLflow's server holds: step, value and time of every point, by metric."""
    names = server.client.get_run(run).data.metrics
    return {
        name: [
            (each.step, single(each.value), each.timestamp / 1000)
            for each in sorted(server.client.get_metric_history(run, name), key=lambda each: each.step)
        ]
        for name in names
    }


def expected_tracked(lines: Sequence[Metrics]) -> dict[str, list[tuple[int, float, float]]]:
    tags = expected_points(lines)
    return {tag.replace("eval/", "eval_").removeprefix("train/"): points for tag, points in tags.items()}


def test_mlflow_gets_settings_and_every_figure_and_is_told_of_the_end(
    folder: Path, server: TrackingServer, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = config("mlflow", train=("a" * 2_000, "b"), learning_rate=1e-5)
    environment = dict(os.environ)
    opened = trackers_of(settings, folder)
    opened.update(log_until(20))
    opened.update(log_until(STEPS))
    assert server.client.get_run(run_id(folder)).info.status == "RUNNING"
    opened.close()
    run = server.client.get_run(run_id(folder))
    assert (run.info.status, run.info.run_name, run.info.experiment_id) == ("FINISHED", "out", "0")
    assert tracked_points(server, run_id(folder)) == expected_tracked(log_until(STEPS))
    assert run.data.params.keys() == FinetuneConfig.model_fields.keys()
    assert (run.data.params["learning_rate"], run.data.params["eval"]) == ("1e-05", "None")
    assert len(run.data.params["train"]) == 500
    assert dict(os.environ) == environment
    assert capsys.readouterr() == ("", "")


def test_a_run_that_is_resumed_goes_on_as_the_same_run_without_a_point_twice(
    folder: Path, server: TrackingServer, capsys: pytest.CaptureFixture[str]
) -> None:
    first = trackers_of(config("mlflow", workers=1), folder)
    first.update(log_until(60))
    first.close()
    before = run_id(folder)
    assert server.client.get_run(before).info.status == "FAILED"
    second = trackers_of(config("mlflow", workers=2), folder)
    second.update(log_until(60))
    assert server.client.get_run(before).info.status == "RUNNING"
    for step in (30, 50, STEPS):
        second.update(log_until(step))
    second.close()
    assert run_id(folder) == before
    assert server.client.get_run(before).info.status == "FINISHED"
    assert server.client.get_run(before).data.params["workers"] == "1"
    assert tracked_points(server, before) == expected_tracked(log_until(STEPS))
    assert capsys.readouterr().err == ""


def test_a_long_log_is_sent_in_requests_that_mlflow_takes(folder: Path, server: TrackingServer) -> None:
    lines = [trained(step) for step in range(1, 451)]
    opened = trackers_of(config("mlflow"), folder)
    opened.update(lines)
    opened.close()
    assert tracked_points(server, run_id(folder)) == expected_tracked(lines)


@pytest.mark.parametrize("elsewhere", [True, False])
def test_where_the_earlier_run_is_gone_a_new_one_begins(folder: Path, server: TrackingServer, elsewhere: bool) -> None:
    if elsewhere:
        (folder / ".ray_qa/mlflow_run_id").write_text("0" * 32)
    else:
        deleted = server.client.create_run("0").info.run_id
        server.client.delete_run(deleted)
        (folder / ".ray_qa/mlflow_run_id").write_text(deleted)
    before = run_id(folder)
    opened = trackers_of(config("mlflow"), folder)
    opened.update(log_until(STEPS))
    opened.close()
    assert run_id(folder) != before
    assert tracked_points(server, run_id(folder)) == expected_tracked(log_until(STEPS))


def test_the_experiment_is_the_one_that_mlflows_variables_name(
    folder: Path, server: TrackingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "reading")
    for _ in range(2):
        opened = trackers_of(config("mlflow"), folder)
        opened.update(log_until(10))
        opened.close()
    made = server.client.get_run(run_id(folder)).info.experiment_id
    assert server.client.get_experiment(made).name == "reading"
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "987654321")
    with pytest.raises(ConfigError, match=r"^`report_to` must name what can be reached, but mlflow .*987654321"):
        trackers_of(config("mlflow"), folder)


def test_a_server_that_dies_in_mid_run_is_told_of_once_and_gets_all_when_it_is_back(
    folder: Path, server: TrackingServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(trackers, "RETRY_SECONDS", 0.0)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server.uri.replace("//", "//me:secret@"))
    opened = trackers_of(config("mlflow"), folder)
    opened.update(log_until(30))
    server.stop()
    try:
        for step in (40, 50, 60):
            opened.update(log_until(step))
    finally:
        server.start()
    opened.update(log_until(80))
    opened.update(log_until(STEPS))
    opened.close()
    (line,) = [record.getMessage() for record in caplog.records if record.name.startswith("ray_qa")]
    assert line.startswith(f"metrics do not reach mlflow at {server.uri}, training goes on")
    assert "secret" not in line
    assert tracked_points(server, run_id(folder)) == expected_tracked(log_until(STEPS))
    assert server.client.get_run(run_id(folder)).info.status == "FINISHED"


@pytest.mark.parametrize("answers", ["refuses", "is silent"])
def test_a_server_that_cannot_be_reached_at_the_start_is_refused_in_one_line_without_credentials(
    folder: Path, monkeypatch: pytest.MonkeyPatch, answers: str, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(MLFLOW_ENVIRONMENT, "MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        if answers == "is silent":
            listening.listen()
        port = listening.getsockname()[1]
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://me:secret@127.0.0.1:{port}")
        began = time.monotonic()
        with pytest.raises(ConfigError) as caught:
            trackers_of(config("mlflow"), folder)
        assert time.monotonic() - began < 20
    (line,) = caught.value.problems
    assert line.startswith(
        f"`report_to` must name what can be reached, but mlflow at http://127.0.0.1:{port} gives: API request to"
    )
    assert line.endswith("; start its server, or set MLFLOW_TRACKING_URI")
    assert "\n" not in line
    assert "secret" not in line
    assert capfd.readouterr() == ("", "")


def test_mlflow_is_given_up_on_within_half_a_minute() -> None:
    attempts = int(MLFLOW_ENVIRONMENT["MLFLOW_HTTP_REQUEST_MAX_RETRIES"]) + 1
    assert attempts * int(MLFLOW_ENVIRONMENT["MLFLOW_HTTP_REQUEST_TIMEOUT"]) <= 20


def test_patience_that_the_user_asks_for_is_not_overruled(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
    monkeypatch.setitem(MLFLOW_ENVIRONMENT, "MLFLOW_HTTP_REQUEST_MAX_RETRIES", "no number: it would be refused")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{closed_port()}")
    with pytest.raises(ConfigError, match="API request to"):
        trackers_of(config("mlflow"), folder)


def test_a_store_that_mlflow_does_not_know_is_refused_in_one_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "gopher://nowhere")
    with pytest.raises(ConfigError) as caught:
        trackers_of(config("mlflow"), folder)
    (line,) = caught.value.problems
    assert line.startswith("`report_to` must name what can be reached, but mlflow at gopher://nowhere gives: ")
    assert "\n" not in line
