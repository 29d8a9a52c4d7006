"""A corpus as people keep it: folders that state columns, links, files of several writers and what is no Parquet."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ray_qa import AnnotateConfig, annotate
from ray_qa.errors import OutputError
from tests.cluster import corpora
from tests.cluster.conftest import ONE_REPLICA, SMALL_WINDOWS


@pytest.mark.usefixtures("ray_cluster")
def test_files_of_several_writers_in_linked_and_partitioned_folders_are_one_corpus(
    tiny_reader_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = corpora.plain(6, words=20)
    polars = rows.cast(pa.schema([("id", pa.int64()), ("question", pa.large_string()), ("context", pa.large_string())]))
    pandas = rows.append_column("note", pa.array(["x"] * 6)).set_column(
        2, "context", rows["context"].dictionary_encode()
    )
    corpora.write(tmp_path / "in/year=2023/a.PARQUET", pandas)
    corpora.write(
        tmp_path / "elsewhere/b.pq",
        polars.append_column("note", pa.nulls(6)).select(["note", "context", "id", "question"]),
    )
    (tmp_path / "in/year=2024").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "in/notes.csv").touch()
    config = AnnotateConfig(
        input=(str(tmp_path / "in"),),
        output=str(tmp_path / "out"),
        model=str(tiny_reader_folder),
        unit_rows=4,
        **ONE_REPLICA,
        **SMALL_WINDOWS,
    )
    assert annotate(config).counts.rows == 12
    assert f"ray-qa annotate: `input` passes over {tmp_path / 'in/notes.csv'}" in capsys.readouterr().err

    parts = sorted((tmp_path / "out").glob("*.parquet"))
    whole = pa.concat_tables([pq.read_table(part) for part in parts])
    assert whole["id"].to_pylist() == [*range(6), *range(6)]
    assert whole["year"].to_pylist() == [2023] * 6 + [2024] * 6
    assert whole["note"].to_pylist() == ["x"] * 6 + [None] * 6
    assert whole["question"].type == whole["context"].type == pa.large_string()
    assert whole["answer"].slice(6).to_pylist() == whole["answer"].slice(0, 6).to_pylist()

    # On resume the footers are not read again, and the schema is the plan's.
    for lost in (tmp_path / "out/_SUCCESS", parts[-1]):
        lost.unlink()
    assert annotate(config).scored_rows == 3
    assert pa.concat_tables([pq.read_table(part) for part in parts]).equals(whole)


@pytest.mark.usefixtures("ray_cluster")
def test_rows_that_are_no_parquet_are_answered_as_if_they_were(
    tiny_reader_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = corpora.plain(6, words=20)
    corpora.write(tmp_path / "rows.parquet", rows)
    lines = "".join(json.dumps(row) + "\n" for row in rows.to_pylist())
    (tmp_path / "rows.jsonl.gz").write_bytes(gzip.compress(lines.encode()))

    def config(name: str, **more: Any) -> AnnotateConfig:
        return AnnotateConfig(
            input=(str(tmp_path / name),),
            output=str(tmp_path / f"out-{name}"),
            model=str(tiny_reader_folder),
            unit_rows=4,
            **{**ONE_REPLICA, **SMALL_WINDOWS, **more},
        )

    annotate(config("rows.parquet"))
    assert annotate(config("rows.jsonl.gz")).counts.rows == 6
    assert "`input` is brought into Parquet once" in capsys.readouterr().err
    parquet, jsonl = (pq.read_table(tmp_path / f"out-{name}") for name in ("rows.parquet", "rows.jsonl.gz"))
    assert jsonl.equals(parquet)

    assert annotate(config("rows.jsonl.gz")).was_finished
    assert "brought" not in capsys.readouterr().err
    assert annotate(config("rows.jsonl.gz", overwrite=True)).scored_rows == 6

    (tmp_path / "rows.jsonl.gz").write_bytes(gzip.compress(lines[: lines.index("\n") + 1].encode()))
    with pytest.raises(OutputError, match=r"differs in the input \(.*rows\.jsonl\.gz has changed\)"):
        annotate(config("rows.jsonl.gz"))
    assert annotate(config("rows.jsonl.gz", overwrite=True)).counts.rows == 1
    assert len(list((tmp_path / "out-rows.jsonl.gz/.ray_qa/rows").iterdir())) == 2  # those of the rows before are gone


@pytest.mark.usefixtures("ray_cluster")
def test_a_frame_is_annotated_and_gone_on_with_in_part_and_whole(tiny_reader_folder: Path, tmp_path: Path) -> None:
    frame = pd.DataFrame(corpora.plain(12, words=20).to_pydict())

    def config(name: str, **more: Any) -> AnnotateConfig:
        return AnnotateConfig(
            input="frame",
            output=tmp_path / name,
            model=tiny_reader_folder,
            unit_rows=4,
            **{**ONE_REPLICA, **SMALL_WINDOWS, **more},
        )

    def rows(name: str) -> list[dict[str, Any]]:
        parts = sorted((tmp_path / name).glob("*.parquet"))
        return [row for part in parts for row in pq.read_table(part).to_pylist()]

    assert annotate(config("whole"), tables={"frame": frame}).part == ""
    (tmp_path / "whole/part-0000001.parquet").unlink()
    assert annotate(config("whole"), tables={"frame": frame}).scored_rows == 4
    some = annotate(config("some", sample=5, seed=2), tables={"frame": frame})
    assert (some.counts.rows, some.part) == (5, "5 of 12 rows, drawn with the seed 2")
    drawn = {row["id"] for row in rows("some")}
    of_whole = [row for row in rows("whole") if row["id"] in drawn]
    for row, same in zip(rows("some"), of_whole, strict=True):
        for name, value in row.items():  # the last bits depend on what a row is scored beside
            assert same[name] == (pytest.approx(value, abs=1e-4) if isinstance(value, float) else value), name
    assert annotate(config("first", limit=5), tables={"frame": frame}).part == "the first 5 rows"
    assert [row["id"] for row in rows("first")] == frame.id.to_list()[:5]
    with pytest.raises(OutputError, match=r"differs in `limit` \(5 there, None now\)"):
        annotate(config("first"), tables={"frame": frame})
