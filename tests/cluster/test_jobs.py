"""The scripts in jobs/ through ``ray job submit``, as a user types it, on a head with token authentication."""

from __future__ import annotations

import re
import secrets
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file

from ray_qa import Reader
from ray_qa.cli.main import main
from ray_qa.finetuning.checkpoints import checkpoint_steps
from tests.cluster import corpora, nodes
from tests.cluster.nodes import Head
from tests.cluster.processes import PATIENCE, wait_until
from tests.model.finetuning.training_rows import questions

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[2]
STOPPED = "stopped; what is done is kept, and the same command goes on from"


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Head]:
    with _head_with_dashboard(tmp_path_factory.mktemp("home")) as head:
        yield head


@dataclass(frozen=True, slots=True, kw_only=True)
class LongJob:
    """A job of some twenty seconds, and what it gives where nothing happens to it."""

    command: str
    flags: list[str]
    undisturbed: Path
    progress: Callable[[Path], int]
    """How much there is in an output to go on from."""
    result: Callable[[Path], Any]
    """What of an output is to be the same."""

    def flags_to(self, output: Path) -> list[str]:
        return [*self.flags, "--output", str(output)]


@pytest.fixture(scope="module", params=["annotate", "finetune"])
def long_job(
    request: pytest.FixtureRequest,
    ray_cluster: None,  # noqa: ARG001  # where nothing happens to it
    tiny_reader_folder: Path,
    tiny_base: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> LongJob:
    folder = tmp_path_factory.mktemp("long")
    annotates = request.param == "annotate"
    job = _long_annotate(tiny_reader_folder, folder) if annotates else _long_finetune(tiny_base, folder)
    assert main([job.command, *job.flags_to(job.undisturbed)]) == 0
    return job


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return corpora.write(tmp_path_factory.mktemp("corpus") / "in.parquet", corpora.plain(40))


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("jobs") / "out"


@pytest.fixture(scope="module")
def finished_job(head: Head, corpus: Path, tiny_reader_folder: Path, output: Path) -> subprocess.CompletedProcess[str]:
    flags = ["--input", str(corpus), "--output", str(output), "--model", str(tiny_reader_folder)]
    return _submit(head, *flags, "--replicas", "1", "--cpus-per-replica", "1", token=head.token)


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


@pytest.mark.timeout(1_200)
def test_a_job_fine_tunes_a_model_on_two_workers_and_its_log_ends_with_the_summary(
    head: Head, tiny_base: Path, tmp_path: Path
) -> None:
    pq.write_table(questions(40), tmp_path / "rows.parquet")
    flags = ["--model", str(tiny_base), "--train", str(tmp_path / "rows.parquet"), "--max-steps", "12"]
    windows = ["--max-tokens", "96", "--stride", "16", "--max-question-tokens", "24"]
    output = ["--output", str(tmp_path / "out"), "--eval", str(tmp_path / "rows.parquet")]
    workers = ["--workers", "2", "--cpus-per-worker", "0.5", "--batch-size", "8"]

    done = _submit(head, *flags, *windows, *output, *workers, token=head.token, job="finetune")

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
    done = _submit(head, *flags, token=head.token)
    (job,) = {word.strip("'") for word in done.stdout.split() if word.startswith("'raysubmit_")}
    status = _ray(head, "job", "status", *_at(head), job, token=head.token).stdout

    assert done.returncode != 0
    for text in (done.stdout, status):
        assert "failed with exit code 2" in text
        assert "`question_column` must name one column of the input, but is 'frage'" in text
    assert f"Job '{job}' failed" in status


@pytest.mark.timeout(1_200)
def test_a_job_that_is_stopped_says_how_to_go_on_and_goes_on_so_even_after_the_head_was_lost_with_all_that_ran(
    long_job: LongJob, head: Head, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    flags = long_job.flags_to(output)
    with _head_with_dashboard(tmp_path) as lost:
        _submit(lost, *flags, token=lost.token, job=long_job.command, name="stopped")
        wait_until(lambda: long_job.progress(output) > 0, "something to go on from")
        stopped = _ray(lost, "job", "stop", "stopped", *_at(lost), token=lost.token)
        log = _ray(lost, "job", "logs", "stopped", *_at(lost), token=lost.token).stdout
        assert "was stopped" in stopped.stdout
        assert log.count(f"ray-qa {long_job.command}: {STOPPED}") == 1

        done = long_job.progress(output)
        _submit(lost, *flags, token=lost.token, job=long_job.command, name="lost")
        wait_until(lambda: long_job.progress(output) > done, "the job goes on")
    assert not (output / "_SUCCESS").exists()

    again = _submit(head, *flags, token=head.token, job=long_job.command)
    assert again.returncode == 0, again.stdout
    assert long_job.result(output) == long_job.result(long_job.undisturbed)


@pytest.mark.parametrize(
    ("token", "why"), [(None, "Missing authentication token"), ("0" * 32, "Invalid authentication token")]
)
def test_without_the_token_nothing_can_be_submitted(head: Head, token: str | None, why: str) -> None:
    done = _submit(head, token=token)

    assert done.returncode != 0
    assert why in done.stdout
    assert "submitted successfully" not in done.stdout


def _long_annotate(reader: Path, folder: Path) -> LongJob:
    corpus = corpora.write(folder / "in.parquet", corpora.plain(40 * 16, words=2_000), row_group_size=80)
    flags = ["--input", str(corpus), "--model", str(reader), "--replicas", "1", "--cpus-per-replica", "1"]
    flags += ["--unit-rows", "40", "--dtype", "float32", "--max-tokens", "96", "--stride", "32"]
    flags += ["--max-question-tokens", "32"]
    return LongJob(
        command="annotate",
        flags=flags,
        undisturbed=folder / "undisturbed",
        progress=lambda output: len(list(output.glob("part-*.parquet"))),
        result=pq.read_table,
    )


def _long_finetune(base: Path, folder: Path) -> LongJob:
    pq.write_table(questions(120, unanswerable=0.3), folder / "rows.parquet")
    flags = ["--model", str(base), "--train", str(folder / "rows.parquet"), "--max-steps", "500", "--epochs", "900"]
    flags += ["--max-tokens", "96", "--stride", "16", "--max-question-tokens", "24", "--batch-size", "48"]
    flags += ["--workers", "2", "--cpus-per-worker", "0.5", "--save-every", "40", "--learning-rate", "1e-3"]
    return LongJob(
        command="finetune",
        flags=flags,
        undisturbed=folder / "undisturbed",
        progress=lambda output: max(checkpoint_steps(output), default=0),
        result=_weights,
    )


def _weights(output: Path) -> dict[str, bytes]:
    return {name: weight.tobytes() for name, weight in load_file(output / "model.safetensors").items()}


@contextmanager
def _head_with_dashboard(home: Path) -> Iterator[Head]:
    with nodes.head(home, secrets.token_hex(16), cpus=2, dashboard=True) as head:
        wait_until(lambda: _answers(head), "the dashboard answers")
        yield head


def _submit(
    head: Head, *flags: str, token: str | None, job: str = "annotate", name: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Give the command of the README from the repository's root; a job with a name is not waited for."""
    unawaited = ["--no-wait", "--submission-id", name] if name else []
    sent = [*unawaited, "--working-dir", ".", "--", "python", f"jobs/{job}.py"]
    return _ray(head, "job", "submit", *_at(head), *sent, *flags, token=token)


def _ray(head: Head, *arguments: str, token: str | None) -> subprocess.CompletedProcess[str]:
    """Run Ray's command line as someone who has this token."""
    mine = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token} if token else {}
    return subprocess.run(
        [nodes.RAY, *arguments],
        cwd=REPOSITORY,
        env=nodes.bare_environment(head.home) | mine,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def _at(head: Head) -> list[str]:
    return ["--address", _dashboard(head)]


def _dashboard(head: Head) -> str:
    return f"http://127.0.0.1:{head.dashboard_port}"


def _answers(head: Head) -> bool:
    try:
        urllib.request.urlopen(f"{_dashboard(head)}/api/version", timeout=5).close()
    except urllib.error.HTTPError as refusal:
        refusal.close()
        return refusal.code in (401, 403)
    except OSError:
        return False
    return True
