"""A set of questions asked of every context: as if the table of all pairs had been written out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ray_qa import AnnotateConfig, annotate
from ray_qa.data.schemas import ADDED_FIELDS
from ray_qa.errors import OutputError
from tests.cluster import corpora
from tests.cluster.conftest import ONE_REPLICA, SMALL_WINDOWS

QUESTIONS = {"who": "Who was it?", "where": "Where did it happen, and why there?", "when": "When?"}


@pytest.mark.usefixtures("ray_cluster")
def test_answers_are_those_of_the_table_written_out(tiny_reader_folder: Path, tmp_path: Path) -> None:
    contexts = [*corpora.plain(9, words=60)["context"].to_pylist(), None, "", "  "]
    rows = pa.table({"id": pa.array(range(len(contexts))), "context": contexts})
    corpora.write(tmp_path / "contexts.parquet", rows)
    corpora.write(tmp_path / "set.parquet", pa.table({"id": list(QUESTIONS), "question": list(QUESTIONS.values())}))
    written_out = [
        {"id": number, "context": context, "question_id": own_id, "question": text}
        for number, context in enumerate(contexts)
        for own_id, text in QUESTIONS.items()
    ]
    corpora.write(tmp_path / "pairs.parquet", pa.Table.from_pylist(written_out))

    def config(name: str, output: str, **more: Any) -> AnnotateConfig:
        return AnnotateConfig(
            input=(str(tmp_path / name),),
            output=str(tmp_path / output),
            model=str(tiny_reader_folder),
            **{"unit_rows": 12, **ONE_REPLICA, **SMALL_WINDOWS, **more},
        )

    asked = config("contexts.parquet", "asked", questions=str(tmp_path / "set.parquet"))
    summary = annotate(asked)
    annotate(config("pairs.parquet", "pairs"))
    assert summary.counts.rows == summary.scored_rows == 36
    assert summary.units == 3
    parts = [pq.read_table(part) for part in sorted((tmp_path / "asked").glob("*.parquet"))]
    assert [part.num_rows for part in parts] == [12, 12, 12]
    pairs = pq.read_table(tmp_path / "pairs")
    assert pa.concat_tables(parts).select(pairs.column_names).to_pylist() == pairs.to_pylist()

    wide = config("contexts.parquet", "wide", questions=str(tmp_path / "set.parquet"), wide=True)
    assert annotate(wide).counts == summary.counts
    table = pq.read_table(tmp_path / "wide")
    assert table.column_names == ["id", "context", *QUESTIONS]
    names = [field.name for field in ADDED_FIELDS]
    assert [row[own_id] for row in table.to_pylist() for own_id in QUESTIONS] == pairs.select(names).to_pylist()

    # Others read the struct columns, with what is ours beside the parts.
    parts_of_wide, where = f"{tmp_path / 'wide'}/*.parquet", [row["where"] for row in table.to_pylist()]
    assert (tmp_path / "wide/.ray_qa").is_dir()
    assert pd.read_parquet(tmp_path / "wide")["where"].tolist() == where
    assert pl.read_parquet(parts_of_wide)["where"].to_list() == where
    statuses = pl.scan_parquet(parts_of_wide).select(pl.col("where").struct.field("status")).collect()
    assert statuses["status"].to_list() == [answer["status"] for answer in where]
    query = f"select \"where\".span as span from read_parquet('{parts_of_wide}') order by id"
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed")
    found = duckdb.sql(query).to_arrow_table()
    assert found["span"].to_pylist() == [answer["span"] for answer in where]

    # What is asked is part of what a run is; a lost part is made again.
    (tmp_path / "asked/part-0000001.parquet").unlink()
    assert annotate(asked).scored_rows == 12
    assert annotate(wide.model_copy(update={"retry_failed": True})).was_finished
    corpora.write(tmp_path / "set.parquet", pa.table({"id": ["who"], "question": ["Who?"]}))
    with pytest.raises(OutputError, match="differs in the questions"):
        annotate(asked)
