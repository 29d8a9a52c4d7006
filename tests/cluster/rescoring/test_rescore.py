"""Rescoring gives what annotating again with the other threshold gives."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ray_qa import AnnotateConfig, RescoreConfig, annotate, rescore
from tests.cluster import corpora
from tests.cluster.conftest import ONE_REPLICA, SMALL_WINDOWS, Annotated


def table_of(folder: Path) -> pa.Table:
    return pa.concat_tables(pq.read_table(part).replace_schema_metadata() for part in sorted(folder.glob("part-*")))


def assert_same(found: pa.Table, wanted: pa.Table) -> None:
    """Column for column, confidences but for their last bits."""
    assert found.schema == wanted.schema
    for name in (name for name in wanted.column_names if name != "confidence"):
        assert found[name].equals(wanted[name]), name
    for one, other in zip(found["confidence"].to_pylist(), wanted["confidence"].to_pylist(), strict=True):
        assert one == other or math.isclose(one, other, rel_tol=1e-12)


def excess_of(rows: pa.Table) -> list[float]:
    """Null score − best span score of the rows that were read, rising."""
    columns = (rows[name].to_pylist() for name in ("null_score", "start_score", "end_score"))
    return sorted(null - start - end for null, start, end in zip(*columns, strict=True) if null is not None)


@pytest.mark.usefixtures("ray_cluster")
def test_a_rescored_corpus_is_the_corpus_annotated_again(annotated: Annotated, tmp_path: Path) -> None:
    excess = excess_of(annotated.output)
    threshold = excess[len(excess) // 4]
    changes: tuple[dict[str, Any], ...] = ({"null_threshold": threshold}, {"always_answer": True})
    for number, change in enumerate(changes):
        again = annotated.config.model_copy(update={**change, "output": str(tmp_path / f"again-{number}")})
        wanted = annotate(again).counts
        out = tmp_path / f"rescored-{number}"
        summary = rescore(RescoreConfig(input=str(annotated.folder), output=str(out), **change))
        assert summary.counts == wanted
        assert wanted.answered != annotated.summary.counts.answered
        names = [path.name for path in sorted(out.glob("part-*"))]
        assert names == [path.name for path in sorted((tmp_path / f"again-{number}").glob("part-*"))]
        assert_same(table_of(out), table_of(tmp_path / f"again-{number}"))


@pytest.mark.usefixtures("ray_cluster")
def test_a_wide_corpus_with_n_best_is_the_corpus_annotated_again(tiny_reader_folder: Path, tmp_path: Path) -> None:
    corpora.write(tmp_path / "contexts.parquet", corpora.plain(9, words=60).select(["context"]))
    corpora.write(tmp_path / "set.parquet", pa.table({"id": ["who", "when"], "question": ["Who was it?", "When?"]}))
    config = AnnotateConfig(
        input=str(tmp_path / "contexts.parquet"),
        output=str(tmp_path / "wide"),
        model=str(tiny_reader_folder),
        questions=str(tmp_path / "set.parquet"),
        wide=True,
        n_best=2,
        **ONE_REPLICA,
        **SMALL_WINDOWS,
    )
    annotate(config)
    excess = excess_of(answers_of(tmp_path / "wide"))
    threshold = excess[len(excess) // 3]
    annotate(config.model_copy(update={"output": str(tmp_path / "again"), "null_threshold": threshold}))
    out = tmp_path / "rescored"
    rescore(RescoreConfig(input=str(tmp_path / "wide"), output=str(out), null_threshold=threshold))
    assert_same(answers_of(out), answers_of(tmp_path / "again"))


def answers_of(folder: Path) -> pa.Table:
    """The structs of a wide output as rows, question by question."""
    rows = table_of(folder)
    return pa.concat_tables(pa.Table.from_struct_array(rows[name].combine_chunks()) for name in ("who", "when"))
