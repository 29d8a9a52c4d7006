from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import pandas as pd
import polars as pl
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from ray_qa.errors import OutputError, RayQaError
from ray_qa.exporting import parquet_folder
from ray_qa.exporting.config import ExportConfig
from ray_qa.exporting.export import export
from ray_qa.runs.cards import is_our_card


def exported(annotated: Path, output: Path, **settings: Any) -> Path:
    export(ExportConfig(input=str(annotated), to="parquet", output=str(output), **settings))
    return output


def sizes(output: Path) -> list[int]:
    return [pq.read_metadata(path).num_rows for path in sorted((output / "data").iterdir())]


@pytest.mark.parametrize(("rows_per_file", "expected"), [(1, [1] * 5), (2, [2, 2, 1]), (3, [3, 2]), (5, [5]), (9, [5])])
def test_files_have_as_many_rows_as_are_asked_for_and_all_rows_in_order(
    annotated: Path, tmp_path: Path, rows_per_file: int, expected: list[int]
) -> None:
    output = exported(annotated, tmp_path / "out", rows_per_file=rows_per_file)
    assert sizes(output) == expected
    table = pq.read_table(output / "data")
    assert table.equals(pq.read_table(annotated).replace_schema_metadata(None))


def test_the_folder_holds_what_it_should_and_the_mark_that_it_is_whole(annotated: Path, tmp_path: Path) -> None:
    output = exported(annotated, tmp_path / "out")
    assert sorted(path.name for path in output.iterdir()) == [".ray_qa", "README.md", "_SUCCESS", "data"]
    assert is_our_card(output / "README.md")


@pytest.mark.parametrize("compression", ["zstd", "snappy"])
def test_files_are_compressed_as_is_asked_for(annotated: Path, tmp_path: Path, compression: str) -> None:
    output = exported(annotated, tmp_path / "out", compression=compression)
    footer = pq.read_metadata(output / "data/part-0000000.parquet")
    assert footer.row_group(0).column(0).compression == compression.upper()


def test_row_groups_are_bounded_in_rows_and_bytes(
    annotated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_folder, "ROW_GROUP_ROWS", 4)
    footer = pq.read_metadata(exported(annotated, tmp_path / "rows") / "data/part-0000000.parquet")
    assert [footer.row_group(each).num_rows for each in range(footer.num_row_groups)] == [4, 1]
    monkeypatch.setattr(parquet_folder, "ROW_GROUP_BYTES", 1)
    footer = pq.read_metadata(exported(annotated, tmp_path / "bytes") / "data/part-0000000.parquet")
    assert [footer.row_group(each).num_rows for each in range(footer.num_row_groups)] == [2, 2, 1]


def test_columns_can_be_chosen(annotated: Path, tmp_path: Path) -> None:
    output = exported(annotated, tmp_path / "out", columns=("answer", "id"))
    assert pq.read_schema(output / "data/part-0000000.parquet").names == ["id", "answer"]
    assert "| context | string |" not in (output / "README.md").read_text()


def test_a_folder_that_holds_something_else_is_refused_even_to_be_replaced(annotated: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/notes.txt").write_text("precious")
    for overwrite in (False, True):
        with pytest.raises(RayQaError, match=r"that ray-qa export made, but .* holds 'notes.txt'; name another$"):
            exported(annotated, tmp_path / "out", overwrite=overwrite)


def test_an_export_is_replaced_where_that_is_asked_for_and_a_persons_card_is_left_alone(
    annotated: Path, tmp_path: Path
) -> None:
    output = exported(annotated, tmp_path / "out", rows_per_file=1)
    with pytest.raises(RayQaError, match=r"^`output` must be a new folder, but .* holds an export; use --overwrite$"):
        exported(annotated, output)
    (output / "README.md").write_text("mine")
    (output / f"data/.part-0000003.parquet.{'0' * 32}.draft").touch()
    assert sizes(exported(annotated, output, overwrite=True, rows_per_file=4)) == [4, 1]
    assert (output / "README.md").read_text() == "mine"


def test_an_export_that_broke_off_has_no_mark_and_can_be_replaced(
    annotated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(parquet_folder, "_card", full)
        with pytest.raises(OutputError, match=r"^`output` must be writable, but .* gives: .*No space left"):
            exported(annotated, tmp_path / "out")
    assert not (tmp_path / "out/_SUCCESS").exists()
    assert sizes(exported(annotated, tmp_path / "out", overwrite=True)) == [5]
    assert (tmp_path / "out/_SUCCESS").exists()


def test_a_partial_export_says_so_in_its_card(annotated: Path, tmp_path: Path) -> None:
    (annotated / "part-0000002.parquet").unlink()
    card = (exported(annotated, tmp_path / "out", partial=True) / "README.md").read_text()
    assert "**Not finished:** 2 of 3 units." in card
    assert "| rows | 4 |" in card


def test_readers_read_it(annotated: Path, tmp_path: Path) -> None:
    datasets.disable_progress_bars()
    output = exported(annotated, tmp_path / "out", rows_per_file=2)
    rows = pq.read_table(annotated).to_pylist()
    loaded = datasets.load_dataset(str(output), split="train", cache_dir=str(tmp_path / "cache"))
    assert loaded.to_list() == rows
    assert ds.dataset(output / "data").to_table().to_pylist() == rows
    assert pl.read_parquet(output / "data").to_dicts() == rows
    assert pd.read_parquet(output / "data")["status"].tolist() == [row["status"] for row in rows]
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed")
    assert duckdb.sql(f"from '{output}/data/*.parquet' order by id").to_arrow_table().to_pylist() == rows
