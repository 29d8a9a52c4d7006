"""The scripts in jobs/ through ``ray job submit``, as a user types it, on a head with token authentication."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from ray_qa import Reader
from tests.cluster import corpora
from tests.cluster.processes import PATIENCE, assert_gone, kill_group, wait_until
from tests.model.training_rows import questions

REPOSITORY = Path(__file__).parents[2]
RAY = str(Path(sys.executable).with_name("ray"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """A Ray head on this machine."""

    address: str
    token: str
    folder: Path
    """Where Ray keeps its files."""
    home: Path
    """A home folder without a token."""

    def submit(self, *flags: str, token: str | None, job: str = "annotate") -> subprocess.CompletedProcess[str]:
        """Give the command of the README from the repository's root."""
        command = f"{RAY} job submit --address {self.address} --working-dir . -- python jobs/{job}.py".split()
        return self.ray(*command[1:], *flags, token=token)

    def ray(self, *arguments: str, token: str | None) -> subprocess.CompletedProcess[str]:
        """Run Ray's command line as someone who has this token."""
        mine = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token} if token else {}
        return subprocess.run(
            [RAY, *arguments],
            cwd=REPOSITORY,
            env=_environment(self.home) | mine,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            check=False,
        )


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Head]:
    token, home = secrets.token_hex(16), tmp_path_factory.mktemp("home")
    folder = Path(tempfile.mkdtemp(prefix="rq"))  # short: sockets lie in it, whose paths may have 107 bytes
    ports = _free_ports(5)
    flags = ["port", "dashboard-port", "dashboard-agent-listen-port", "ray-client-server-port", "metrics-export-port"]
    command = [RAY, "start", "--head", "--block", "--num-cpus=2", "--disable-usage-stats", f"--temp-dir={folder}"]
    with (folder / "head.log").open("wb") as log:
        process = subprocess.Popen(
            command + [f"--{flag}={port}" for flag, port in zip(flags, ports, strict=True)],
            env=_environment(home) | {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token},
            start_new_session=True,
            stdout=log,
            stderr=log,
        )
    head = Head(address=f"http://127.0.0.1:{ports[1]}", token=token, folder=folder, home=home)
    try:
        wait_until(lambda: _answers(head.address), "the head answers")
        yield head
    finally:
        assert_gone(kill_group(process))
        shutil.rmtree(folder)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return corpora.write(tmp_path_factory.mktemp("corpus") / "in.parquet", corpora.plain(40))


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("jobs") / "out"


@pytest.fixture(scope="module")
def finished_job(head: Head, corpus: Path, tiny_reader_folder: Path, output: Path) -> subprocess.CompletedProcess[str]:
    flags = ["--input", str(corpus), "--output", str(output), "--model", str(tiny_reader_folder)]
    return head.submit(*flags, "--replicas", "1", "--cpus-per-replica", "1", token=head.token)


def test_a_job_annotates_a_corpus_and_its_log_ends_with_the_summary(
    finished_job: subprocess.CompletedProcess[str], output: Path
) -> None:
    assert finished_job.returncode == 0, finished_job.stdout
    assert "succeeded" in finished_job.stdout
    assert "40 rows = " in finished_job.stdout
    assert (output / "_SUCCESS").exists()
    assert pq.read_table(output)["id"].to_pylist() == list(range(40))


@pytest.mark.usefixtures("finished_job")
def test_what_is_sent_to_the_cluster_is_the_package_and_the_jobs(head: Head) -> None:
    packages = list(head.folder.glob("session_2*/runtime_resources/working_dir_files/_ray_pkg_*/"))

    assert packages
    for package in packages:
        names = {path.name for path in package.iterdir()}
        assert {"ray_qa", "jobs", "pyproject.toml"} <= names
        assert names.isdisjoint({".git", ".venv", "tests", "docs", "benchmarks", ".mypy_cache"})
        assert sum(path.stat().st_size for path in package.rglob("*")) < 64 * 2**20


@pytest.mark.timeout(600)
def test_a_job_fine_tunes_a_model_on_two_workers_and_its_log_ends_with_the_summary(
    head: Head, tiny_base: Path, tmp_path: Path
) -> None:
    pq.write_table(questions(40), tmp_path / "rows.parquet")
    flags = ["--model", str(tiny_base), "--train", str(tmp_path / "rows.parquet"), "--max-steps", "12"]
    windows = ["--max-tokens", "96", "--stride", "16", "--max-question-tokens", "24"]
    output = ["--output", str(tmp_path / "out"), "--eval", str(tmp_path / "rows.parquet")]
    team = ["--workers", "2", "--cpus-per-worker", "0.5", "--batch-size", "8"]

    done = head.submit(*flags, *windows, *output, *team, token=head.token, job="finetune")

    assert done.returncode == 0, done.stdout
    assert "succeeded" in done.stdout
    assert "40 rows = 40 with an answer + 0 without + 0 dropped" in done.stdout
    assert re.search(r"10 steps in \d+:\d\d; exact [\d.]+, F1 [\d.]+ after step", done.stdout)
    assert (tmp_path / "out" / "_SUCCESS").exists()
    assert Reader.load(str(tmp_path / "out")).answer(question="which town?", context="town 1815").status


def test_a_job_that_is_refused_fails_with_its_exit_code_and_its_line_in_the_status(
    head: Head, corpus: Path, tmp_path: Path
) -> None:
    flags = ["--input", str(corpus), "--output", str(tmp_path), "--question-column", "frage"]
    done = head.submit(*flags, token=head.token)
    (job,) = {word.strip("'") for word in done.stdout.split() if word.startswith("'raysubmit_")}
    status = head.ray("job", "status", "--address", head.address, job, token=head.token).stdout

    assert done.returncode != 0
    for text in (done.stdout, status):
        assert "failed with exit code 2" in text
        assert "`question_column` must name one column of the input, but is 'frage'" in text
    assert f"Job '{job}' failed" in status


@pytest.mark.parametrize(
    ("token", "why"), [(None, "Missing authentication token"), ("0" * 32, "Invalid authentication token")]
)
def test_without_the_token_nothing_can_be_submitted(head: Head, token: str | None, why: str) -> None:
    done = head.submit(token=token)

    assert done.returncode != 0
    assert why in done.stdout
    assert "submitted successfully" not in done.stdout


def _environment(home: Path) -> dict[str, str]:
    """The environment of someone who has set nothing for Ray, and whose python is the one that runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    return kept | {"HOME": str(home), "PATH": path}


def _answers(address: str) -> bool:
    try:
        urllib.request.urlopen(f"{address}/api/version", timeout=5).close()
    except urllib.error.HTTPError as refusal:
        refusal.close()
        return refusal.code in (401, 403)
    except OSError:
        return False
    return True


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
