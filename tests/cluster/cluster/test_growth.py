"""Clusters that cannot grow, and one that does."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from ray.train.v2._internal.constants import WORKER_GROUP_START_TIMEOUT_S_ENV_VAR

from tests.cluster import corpora, nodes
from tests.cluster.nodes import Head
from tests.cluster.processes import PATIENCE, lines_but_progress
from tests.model.finetuning.training_rows import questions

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def by_hand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Head]:
    with nodes.head(tmp_path_factory.mktemp("home"), None, cpus=1) as head:
        yield head


def test_what_a_cluster_that_was_started_by_hand_can_never_hold_is_refused_at_once(
    by_hand: Head, tiny_reader_folder: Path, tiny_base: Path, tmp_path: Path
) -> None:
    corpus = corpora.write(tmp_path / "in.parquet", corpora.plain(2))
    annotate = ["annotate", "--input", str(corpus), "--model", str(tiny_reader_folder), "--replicas", "3"]
    pq.write_table(questions(20), tmp_path / "rows.parquet")
    finetune = ["finetune", "--train", str(tmp_path / "rows.parquet"), "--model", str(tiny_base), "--max-tokens", "96"]
    finetune += ["--stride", "16", "--max-question-tokens", "24", "--workers", "2", "--gpus-per-worker", "1"]
    for command, setting, asked in (
        (annotate, "replicas", "3 are asked for, each with 1 CPUs and 0 GPUs"),
        (finetune, "workers", "2 are asked for, each with 1 CPUs and 1 GPUs"),
    ):
        done = _run(by_hand, *command, "--output", str(tmp_path / "out"))
        assert done.returncode == 2
        assert lines_but_progress(done.stderr) == [
            f"ray-qa {command[0]}: `{setting}` must fit the cluster (1 CPUs and 0 GPUs), which has no autoscaler to "
            f"add nodes, but {asked}; ask for less, or add nodes first"
        ]
        assert not (tmp_path / "out").exists()


def test_a_cluster_that_was_started_by_hand_holds_as_many_as_fit_of_those_that_may_be(
    by_hand: Head, tiny_reader_folder: Path, tmp_path: Path
) -> None:
    corpus = corpora.write(tmp_path / "in.parquet", corpora.plain(20))
    flags = ["--input", str(corpus), "--model", str(tiny_reader_folder), "--replicas", "1:3"]
    done = _run(by_hand, "annotate", *flags, "--output", str(tmp_path / "out"), "--cpus-per-replica", "0.4")
    assert done.returncode == 0, done.stderr


def test_a_cluster_that_grows_is_waited_for(tiny_reader_folder: Path, tmp_path: Path) -> None:
    corpus = corpora.write(tmp_path / "in.parquet", corpora.plain(20))
    flags = ["--input", str(corpus), "--model", str(tiny_reader_folder), "--replicas", "1:8"]
    with nodes.head(tmp_path, None, cpus=0, can_grow=True) as head:
        done = _run(head, "annotate", *flags, "--output", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert re.match(r"20 rows = ", done.stdout)
    assert lines_but_progress(done.stderr) == []


@pytest.mark.timeout(1_200)
def test_nodes_that_boot_for_longer_than_ray_train_waits_for_workers_are_waited_for(
    tiny_base: Path, tmp_path: Path
) -> None:
    ray_waits = 15
    pq.write_table(questions(20), tmp_path / "rows.parquet")
    flags = ["--train", str(tmp_path / "rows.parquet"), "--model", str(tiny_base), "--max-tokens", "96"]
    flags += ["--stride", "16", "--max-question-tokens", "24", "--workers", "2", "--cpus-per-worker", "1"]
    with nodes.head(tmp_path, None, cpus=0, can_grow=True, boot_seconds=ray_waits + 5) as head:
        environment = {WORKER_GROUP_START_TIMEOUT_S_ENV_VAR: str(ray_waits)}
        done = _run(head, "finetune", *flags, "--output", str(tmp_path / "out"), **environment)
    assert done.returncode == 0, done.stderr
    assert "2 steps in" in done.stdout
    assert "waiting for room for 2 workers with 1 CPUs and 0 GPUs each" in done.stderr
    assert lines_but_progress(done.stderr) == []


def _run(head: Head, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ray_qa", *command, "--ray-address", head.address],
        env=head.environment | environment,
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE,
        check=False,
    )
