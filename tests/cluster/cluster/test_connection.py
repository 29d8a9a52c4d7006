"""Which cluster a run reaches for."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest
import ray
from ray._private.utils import push_error_to_driver

from ray_qa.cli.main import main
from ray_qa.cluster.connection import connected
from ray_qa.errors import ClusterError
from tests.cluster import corpora


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


@pytest.fixture
def not_connected(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process of its own: the cluster that the other tests share would be used otherwise."""
    monkeypatch.setattr("ray.is_initialized", lambda: False)


@pytest.mark.usefixtures("not_connected")
def test_an_address_where_nothing_answers_is_refused_at_once(closed_port: int) -> None:
    with (
        pytest.raises(ClusterError, match=rf"`ray_address` must be .* but 127\.0\.0\.1:{closed_port} gives: .*refused"),
        connected(f"127.0.0.1:{closed_port}"),
    ):
        pass


@pytest.mark.usefixtures("not_connected")
def test_ray_address_of_the_environment_is_used_where_no_flag_names_one(
    closed_port: int,
    tiny_reader_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{closed_port}")
    path = corpora.write(tmp_path / "in.parquet", corpora.plain(2))
    command = ["annotate", "--input", str(path), "--output", str(tmp_path / "out"), "--model", str(tiny_reader_folder)]

    assert main(command) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"127.0.0.1:{closed_port} gives: failed to connect" in line


@pytest.mark.usefixtures("ray_cluster")
def test_a_process_that_is_connected_stays_so(closed_port: int) -> None:
    with connected(f"127.0.0.1:{closed_port}") as cluster:
        assert len(cluster.nodes) == 1
    with connected(None) as again:
        assert again == cluster
    assert cluster.private  # this process has started it


@pytest.mark.usefixtures("ray_cluster")
def test_what_raylets_report_is_not_shown(capfd: pytest.CaptureFixture[str]) -> None:
    push_error_to_driver(ray._private.worker.global_worker, "test", "a worker has died")
    time.sleep(2)  # Ray would show it within milliseconds
    assert capfd.readouterr() == ("", "")
