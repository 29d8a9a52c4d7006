"""The worker's side, run in this process: encoding tasks and a replica on a folder, without Ray."""

from __future__ import annotations

import _thread
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ray_qa import AnnotateConfig
from ray_qa.annotation.attempts import ATTEMPTS, MOST_ATTEMPTS, Span, begin_span, begin_unit
from ray_qa.annotation.reading_tasks import blocks_to_read
from ray_qa.annotation.stages import (
    ENCODED_SCHEMA,
    AnnotateJob,
    Annotator,
    encode_units,
    summary_from_row,
)
from ray_qa.annotation.summary import UnitSummary
from ray_qa.cluster.worker import node_here
from ray_qa.data.parts import part_path
from ray_qa.data.row_groups import Source
from ray_qa.data.units import Piece, Unit
from ray_qa.errors import ModelError, OutputError
from ray_qa.reader.backend import BrokenDeviceError
from ray_qa.reader.model_files import find_model
from ray_qa.reader.pair_tokenizer import PairTokenizer
from ray_qa.reader.tokenizer_loading import load_pair_tokenizer
from ray_qa.runs.ownership import claim
from ray_qa.runs.part_labels import Counts, PartLabel
from tests.cluster import corpora
from tests.cluster.annotation.jobs import job_for
from tests.cluster.annotation.lethal_replica import LETHAL
from tests.cluster.conftest import SMALL_WINDOWS

UNITS = (
    Unit(number=4, pieces=(Piece(file=0, row_group=0, first_row=1, rows=3),)),
    Unit(
        number=5,
        pieces=(
            Piece(file=0, row_group=0, first_row=4, rows=2),
            Piece(file=0, row_group=1, first_row=0, rows=6),
        ),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A replica, and the encoded units that would be handed to it."""

    job: AnnotateJob
    replica: Annotator
    block: pa.Table
    """The units as a reading task is given them."""
    encoded: list[pa.Table]

    @property
    def folder(self) -> Path:
        return Path(self.job.config.output)

    def score(self, unit: int) -> UnitSummary:
        (row,) = self.replica(self.encoded[unit]).to_pylist()
        return summary_from_row(row)


@pytest.fixture
def worker(tiny_reader_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Worker:
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "false")
    path = corpora.write(tmp_path / "in.parquet", corpora.plain(12), row_group_size=6)
    (tmp_path / "out" / ".ray_qa").mkdir(parents=True)
    config = AnnotateConfig(input=(str(path),), output=str(tmp_path / "out"), **SMALL_WINDOWS)
    job = job_for(config, find_model(str(tiny_reader_folder)), pq.read_schema(path))
    claim(tmp_path / "out", "digest")
    block = pa.concat_tables(blocks_to_read(UNITS, [Source(path=str(path))]))
    return Worker(job=job, replica=Annotator(job), block=block, encoded=list(encode_units(block, job)))


def test_each_unit_is_encoded_as_a_table_of_its_own(worker: Worker) -> None:
    assert [table.schema for table in worker.encoded] == [ENCODED_SCHEMA] * 2
    assert [table["unit"].to_pylist() for table in worker.encoded] == [[4], [5]]


def test_an_interruption_waits_until_the_tokenizer_is_loaded_and_then_ends_the_task(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[Path] = []

    def load_with_an_interruption(folder: Path) -> PairTokenizer:
        _thread.interrupt_main()
        loaded.append(folder)
        return load_pair_tokenizer(folder)

    monkeypatch.setattr("ray_qa.reader.tokenizer_loading.load_pair_tokenizer", load_with_an_interruption)
    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        list(encode_units(worker.block, worker.job))

    assert len(loaded) == 1
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_replica_publishes_the_part_of_a_unit_and_sums_it_up(worker: Worker) -> None:
    summary = worker.score(1)

    assert pq.read_table(part_path(worker.folder, 5))["id"].to_pylist() == [4, 5, 6, 7, 8, 9, 10, 11]
    assert summary.unit == 5
    assert summary.counts.rows == summary.counts.answered + summary.counts.no_answer == 8
    assert summary.started < summary.published
    assert not part_path(worker.folder, 4).exists()
    assert list((worker.folder / ATTEMPTS).iterdir()) == []


def test_a_unit_that_is_scored_again_after_its_part_was_published_is_not_written_again(worker: Worker) -> None:
    first = worker.score(0)
    before = part_path(worker.folder, 4).stat()
    again = worker.score(0)

    assert again.counts == first.counts
    assert part_path(worker.folder, 4).stat().st_ino == before.st_ino


def test_of_a_unit_that_has_killed_its_worker_too_often_only_the_row_that_kills_is_written_as_failed(
    worker: Worker,
) -> None:
    for attempt in range(MOST_ATTEMPTS):
        assert len(begin_unit(worker.folder, 4, node_here()).nodes) == attempt  # and then the worker dies
    begin_span(worker.folder, 4, Span(1, 2), node_here())  # and one more, of this row alone
    summary = worker.score(0)
    part = pq.read_table(part_path(worker.folder, 4))

    assert (summary.counts.rows, summary.counts.failed) == (3, 1)
    assert part["reason"].to_pylist() == [None, "worker_died", None]
    assert part["id"].to_pylist() == [1, 2, 3]
    assert list((worker.folder / ATTEMPTS).iterdir()) == []


@pytest.mark.slow
def test_rows_that_kill_their_worker_for_real_are_found_and_all_others_come_out(
    tiny_reader_folder: Path, tmp_path: Path
) -> None:
    rows = corpora.plain(40)
    contexts = [f"{LETHAL} {text}" if row in (3, 30) else text for row, text in enumerate(rows["context"].to_pylist())]
    rows = rows.set_column(rows.schema.get_field_index("context"), "context", pa.array(contexts))
    path = corpora.write(tmp_path / "in.parquet", rows)
    deaths = []
    for output, heeded in ((tmp_path / "undisturbed", "no"), (tmp_path / "out", "yes")):
        (output / ".ray_qa").mkdir(parents=True)
        command = [sys.executable, "-m", "tests.cluster.annotation.lethal_replica"]
        command += [str(path), str(tiny_reader_folder), str(output), heeded]
        ended = subprocess.run(command, check=False, capture_output=True)
        assert ended.returncode == 0, ended.stderr
        deaths.append(int(ended.stdout))

    part = pq.read_table(part_path(tmp_path / "out", 0))
    expected = pq.read_table(part_path(tmp_path / "undisturbed", 0))
    assert part["id"] == expected["id"]
    others = [row for row in range(40) if row not in (3, 30)]
    assert part.take(others)["answer"] == expected.take(others)["answer"]
    assert part["reason"].take([3, 30]).to_pylist() == ["worker_died"] * 2
    assert part["reason"].null_count == 38
    assert deaths == [0, MOST_ATTEMPTS + 2 * 2]  # 40 rows are eight spans of five, each of five single rows


def test_a_unit_whose_worker_died_less_often_is_scored(worker: Worker) -> None:
    for _ in range(MOST_ATTEMPTS - 1):
        begin_unit(worker.folder, 4, node_here())

    assert worker.score(0).counts.failed == 0


def test_a_unit_whose_workers_went_down_with_their_nodes_is_scored(worker: Worker) -> None:
    for _ in range(MOST_ATTEMPTS + 1):
        begin_unit(worker.folder, 4, "a node that was taken back")

    assert worker.score(0).counts.failed == 0


def test_a_device_that_fails_ends_the_replica_so_that_another_tries_the_unit(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise BrokenDeviceError("CUDA error: device-side assert triggered")

    def ends(code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr("ray_qa.reader.span_model.SpanModel.score", fails)
    monkeypatch.setattr(os, "_exit", ends)
    with pytest.raises(SystemExit, match="1"):
        worker.score(0)
    assert not part_path(worker.folder, 4).exists()
    assert len(begin_unit(worker.folder, 4, node_here()).nodes) == 1  # the attempt is counted


def test_a_replica_whose_node_is_to_be_taken_away_ends_before_it_begins_a_unit(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ends(code: int) -> None:
        raise SystemExit(code)

    monkeypatch.setattr("ray_qa.annotation.stages.node_leaves", lambda: True)
    monkeypatch.setattr(os, "_exit", ends)
    with pytest.raises(SystemExit, match="1"):
        worker.score(0)
    assert not (worker.folder / ATTEMPTS).exists()


def test_a_unit_that_is_to_be_tried_again_is_scored_though_its_part_is_there(worker: Worker) -> None:
    for _ in range(MOST_ATTEMPTS):
        begin_unit(worker.folder, 4, node_here())
    begin_span(worker.folder, 4, Span(0, 1), node_here())
    assert worker.score(0).counts.failed == 1
    again = replace(worker, replica=Annotator(replace(worker.job, again=frozenset({4}))))
    assert again.score(0).counts.failed == 0
    assert worker.score(0).counts.failed == 0


def test_a_worker_whose_model_differs_from_the_planned_one_refuses(worker: Worker) -> None:
    model = replace(worker.job.model, weights_sha256="other")
    replica = Annotator(replace(worker.job, model=model))

    with pytest.raises(ModelError, match=r"must be the same on every node, but .* differs"):
        replica(worker.encoded[0])


def test_a_replica_that_outlives_its_run_stops_at_its_next_unit_and_publishes_nothing(worker: Worker) -> None:
    worker.score(0)
    before = part_path(worker.folder, 4).read_bytes()
    claim(worker.folder, "another plan's digest")
    for unit in (0, 1):
        with pytest.raises(OutputError, match="another has taken"):
            worker.replica(worker.encoded[unit])
    assert part_path(worker.folder, 4).read_bytes() == before
    assert not part_path(worker.folder, 5).exists()


def test_a_part_of_another_plan_is_made_again(worker: Worker) -> None:
    worker.score(0)
    ours = part_path(worker.folder, 4).read_bytes()
    table = pq.read_table(part_path(worker.folder, 4))
    label = PartLabel(plan="another's", counts=Counts(rows=3, failed=3))
    pq.write_table(table.replace_schema_metadata(label.as_metadata()), part_path(worker.folder, 4))
    worker.score(0)
    assert pq.read_table(part_path(worker.folder, 4)) == pq.read_table(pa.BufferReader(ours))
