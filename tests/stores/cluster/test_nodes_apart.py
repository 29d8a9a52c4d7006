"""Nodes that have no folder in common, only a bucket: what they write is what one machine writes, with one lost too."""

from __future__ import annotations

import io
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from subprocess import Popen

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load, load_file

from ray_qa.cli.main import main
from ray_qa.finetuning.checkpoints import checkpoint_steps
from ray_qa.storage import objects, places
from ray_qa.storage.remote import Remote
from tests.cluster import corpora, nodes
from tests.cluster.nodes import Head
from tests.cluster.processes import PATIENCE, driver, replicas_below, training_workers_below, wait_until
from tests.model.finetuning.training_rows import questions

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_200)]

READING = (
    "--dtype", "float32", "--backend", "torch", "--unit-rows", "4", "--replicas", "1:2", "--cpus-per-replica", "1",
    "--max-tokens", "96", "--stride", "24", "--max-question-tokens", "24",
)  # fmt: skip
TRAINING = (
    "--workers", "2", "--cpus-per-worker", "0.5", "--max-tokens", "96", "--stride", "16", "--max-question-tokens", "24",
    "--batch-size", "8", "--max-steps", "40", "--epochs", "20", "--save-every", "4", "--learning-rate", "1e-3",
)  # fmt: skip


@contextmanager
def two_nodes(home: Path) -> Iterator[tuple[Head, list[Popen[bytes]]]]:
    """A head without CPUs, and two nodes of two, each with a home and a folder for temporary files of its own."""
    with ExitStack() as stack:
        head = stack.enter_context(nodes.head(home / "head", secrets.token_hex(16), cpus=0))
        started = []
        for name in ("one", "other"):
            (home / name / "tmp").mkdir(parents=True)
            own = {"HOME": str(home / name), "TMPDIR": str(home / name / "tmp"), "RAY_QA_CACHE": str(home / name)}
            started.append(stack.enter_context(nodes.node(head, cpus=2, **own)))
        yield head, started


def publish_folder(folder: Path, place: Remote) -> None:
    for path in folder.iterdir():
        objects.publish(place / path.name, path.read_bytes())


def test_annotate_loses_a_node_and_nothing_of_its_output(
    folder: Remote, tiny_reader_folder: Path, tmp_path: Path
) -> None:
    corpus = corpora.write(tmp_path / "in.parquet", corpora.plain(240), row_group_size=60)
    here = ["--input", str(corpus), "--output", str(tmp_path / "out"), "--model", str(tiny_reader_folder)]
    assert main(["annotate", *READING, *here]) == 0
    objects.publish(folder / "in.parquet", corpus.read_bytes())
    publish_folder(tiny_reader_folder, folder / "model")
    output, said = folder / "out", tmp_path / "err"

    (tmp_path / "head").mkdir()
    with two_nodes(tmp_path) as (head, both), nodes.in_environment_of(head):
        named = ["--input", f"{folder}/in.parquet", "--output", str(output), "--model", f"{folder}/model"]
        with driver("annotate", [*READING, *named, "--ray-address", head.address], said) as process:
            wait_until(lambda: len(parts_of(output)) >= 4, "some parts")
            lost = next(node for node in both if replicas_below(node.pid))
            nodes.cut_off(lost)
            assert process.wait(PATIENCE * 2) == 0, said.read_text()
    assert places.exists(output / "_SUCCESS")
    tables = [pq.read_table(io.BytesIO(objects.read(output / name))) for name in parts_of(output)]
    assert pa.concat_tables(tables) == pq.read_table(tmp_path / "out")


def test_finetune_goes_on_from_its_checkpoint_on_a_node_that_has_seen_nothing_of_the_run(
    folder: Remote, tiny_base: Path, tmp_path: Path
) -> None:
    rows = tmp_path / "rows.parquet"
    pq.write_table(questions(60, unanswerable=0.3), rows)
    here = ["--train", str(rows), "--eval", str(rows), "--model", str(tiny_base), "--output", str(tmp_path / "out")]
    assert main(["finetune", *TRAINING, *here]) == 0
    objects.publish(folder / "rows.parquet", rows.read_bytes())
    publish_folder(tiny_base, folder / "base")
    output, said = folder / "out", tmp_path / "err"

    (tmp_path / "head").mkdir()
    with two_nodes(tmp_path) as (head, both), nodes.in_environment_of(head):
        data = f"{folder}/rows.parquet"
        named = ["--train", data, "--eval", data, "--model", f"{folder}/base", "--output", str(output)]
        with driver("finetune", [*TRAINING, *named, "--ray-address", head.address], said) as process:
            wait_until(lambda: bool(checkpoint_steps(output)), "a checkpoint")
            (lost,) = [node for node in both if training_workers_below(node.pid)]
            nodes.cut_off(lost)
            assert process.wait(PATIENCE * 2) == 0, said.read_text()
    ours, theirs = load(objects.read(output / "model.safetensors")), load_file(tmp_path / "out" / "model.safetensors")
    assert [name for name in theirs if not np.array_equal(ours[name], theirs[name])] == []


def parts_of(output: Remote) -> list[str]:
    return [name for name in places.names_in(output) if name.startswith("part-")]
