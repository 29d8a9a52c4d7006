"""A node that is to be taken away, as Ray is told beforehand: its replica ends what it is at, and begins no more."""

from __future__ import annotations

import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ray_qa.cli.main import main
from tests.cluster import corpora, nodes
from tests.cluster.processes import PATIENCE, driver, lines_but_progress, replicas_below, wait_until

pytestmark = pytest.mark.slow

NOTICE_SECONDS = 60
NOTED = """
import sys
from pathlib import Path

from ray_qa.annotation import running
from ray_qa.cli.main import main

notes, score_units = Path(sys.argv.pop(1)), running.score_units


def noted(*arguments):
    for unit in score_units(*arguments):
        with notes.open("a") as file:
            print(unit.replica.rpartition(":")[2], unit.started, file=file)
        yield unit


running.score_units = noted
sys.exit(main())
"""
"""The command, which notes the replica of each unit, and when it began."""
FLAGS = (
    "--replicas", "2", "--cpus-per-replica", "2", "--unit-rows", "40", "--dtype", "float32", "--backend", "torch",
    "--max-tokens", "96", "--stride", "32", "--max-question-tokens", "32",
)  # fmt: skip


@pytest.mark.timeout(1_200)
def test_a_replica_on_a_node_that_is_to_be_taken_away_begins_no_unit_more_and_leaves_none_half_done(
    tiny_reader_folder: Path, tmp_path: Path, ray_token: str
) -> None:
    corpus = corpora.write(tmp_path / "in.parquet", corpora.plain(40 * 10, words=3_000), row_group_size=80)
    flags = ["--input", str(corpus), "--model", str(tiny_reader_folder), *FLAGS]
    output, notes, said = tmp_path / "out", tmp_path / "notes", tmp_path / "err"
    with (
        nodes.head(tmp_path, ray_token, cpus=0) as head,
        nodes.node(head, cpus=2) as one,
        nodes.node(head, cpus=2) as other,
        nodes.in_environment_of(head),
    ):
        command = [*flags, "--output", str(output), "--ray-address", head.address]
        with driver("annotate", command, said, program=("-c", NOTED, str(notes))) as process:
            wait_until(lambda: len({pid for pid, _ in _begun(notes)}) == 2, "units by two replicas")
            (leaving,), (_,) = _replicas(one), _replicas(other)
            nodes.tell_to_leave(head, one, NOTICE_SECONDS)
            told = time.time()
            wait_until(lambda: not _replicas(one), "the replica has left")
            assert time.time() < told + NOTICE_SECONDS
            nodes.cut_off(one)
            assert process.wait(PATIENCE) == 0, said.read_text()

    assert max(started for pid, started in _begun(notes) if pid == leaving) < told
    assert lines_but_progress(said.read_text()) == []
    assert main(["annotate", *flags, "--replicas", "1", "--output", str(tmp_path / "undisturbed")]) == 0
    assert _rows(output) == _rows(tmp_path / "undisturbed")


def _replicas(node: nodes.Process) -> set[int]:
    return replicas_below(node.pid)


def _begun(notes: Path) -> list[tuple[int, float]]:
    lines = notes.read_text().splitlines() if notes.exists() else []
    return [(int(pid), float(started)) for pid, started in (line.split() for line in lines)]


def _rows(output: Path) -> pa.Table:
    return pq.read_table(output)
