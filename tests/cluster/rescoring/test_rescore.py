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


def assert_same(found: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> None:
    """Row for row, confidences but for their last bits."""
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        sure, as_sure = one.pop("confidence"), other.pop("confidence")
        assert one == other
        assert sure == as_sure or math.isclose(sure, as_sure, rel_tol=1e-12)


@pytest.mark.usefixtures("ray_cluster")
def test_a_rescored_corpus_is_the_corpus_annotated_again(annotated: Annotated, tmp_path: Path) -> None:
    read = [row for row in annotated.output.to_pylist() if row["span"]]
    excess = sorted(row["null_score"] - row["start_score"] - row["end_score"] for row in read)
    threshold = excess[len(excess) // 4]
    for number, change in enumerate(({"null_threshold": threshold}, {"always_answer": True})):
        again = annotated.config.model_copy(update={**change, "output": str(tmp_path / f"again-{number}")})
        wanted = annotate(again).counts
        out = tmp_path / f"rescored-{number}"
        summary = rescore(RescoreConfig(input=str(annotated.folder), output=str(out), **change))
        assert summary.counts == wanted
        assert wanted.answered != annotated.summary.counts.answered
        names = [path.name for path in sorted(out.glob("part-*"))]
        assert names == [path.name for path in sorted((tmp_path / f"again-{number}").glob("part-*"))]
        assert table_of(out).schema == table_of(tmp_path / f"again-{number}").schema
        assert_same(table_of(out).to_pylist(), table_of(tmp_path / f"again-{number}").to_pylist())


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
    structs = [row[name] for row in table_of(tmp_path / "wide").to_pylist() for name in ("who", "when")]
    excess = sorted(each["null_score"] - each["start_score"] - each["end_score"] for each in structs)
    threshold = excess[len(excess) // 3]
    annotate(config.model_copy(update={"output": str(tmp_path / "again"), "null_threshold": threshold}))
    out = tmp_path / "rescored"
    rescore(RescoreConfig(input=str(tmp_path / "wide"), output=str(out), null_threshold=threshold))
    for name in ("who", "when"):
        found, wanted = (table_of(folder)[name].to_pylist() for folder in (out, tmp_path / "again"))
        assert_same(found, wanted)
