"""An output folder is read as what it is by what people read Parquet with: its rows, all of them, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import datasets
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pytest
import ray.data

from ray_qa import annotate
from tests.cluster.conftest import Annotated

pytestmark = pytest.mark.usefixtures("ray_cluster")
Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def one_part(uninterrupted: Annotated, tmp_path_factory: pytest.TempPathFactory) -> Annotated:
    """The output of many parts, but for all of them except the first."""
    config = uninterrupted.copied_to(tmp_path_factory.mktemp("one-part") / "out")
    alone = replace(uninterrupted, config=config)
    for part in alone.parts[1:]:
        part.unlink()
    return alone


@pytest.fixture(params=["one_part", "uninterrupted"])
def output(request: pytest.FixtureRequest) -> Annotated:
    """An output of one part, and one of many."""
    annotated: Annotated = request.getfixturevalue(request.param)
    return annotated


def _with_datasets(folder: str, cache: Path) -> Rows:
    rows: Rows = datasets.load_dataset(folder, split="train", cache_dir=str(cache)).to_list()
    return rows


def test_datasets_loads_the_annotated_rows(output: Annotated, tmp_path: Path) -> None:
    datasets.disable_progress_bars()
    assert _with_datasets(str(output.folder), tmp_path) == output.output.to_pylist()


def test_arrow_reads_the_annotated_rows(output: Annotated) -> None:
    assert ds.dataset(output.folder).to_table().to_pylist() == output.output.to_pylist()


def test_pandas_reads_the_annotated_rows(output: Annotated) -> None:
    frame = pd.read_parquet(output.folder)
    assert list(frame.columns) == output.output.column_names
    for name in ("id", "span", "start_score", "status"):
        assert frame[name].tolist() == output.output[name].to_pylist()


def test_polars_reads_the_annotated_rows(output: Annotated) -> None:
    # A folder alone it takes only where every file in it, hidden ones too, has one suffix (pola-rs/polars#21762).
    assert pl.read_parquet(output.folder / "*.parquet").to_dicts() == output.output.to_pylist()


def test_duckdb_reads_the_annotated_rows(output: Annotated) -> None:
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed")
    rows = duckdb.sql(f"from read_parquet('{output.folder}/*.parquet') order by cast(id as int)").to_arrow_table()
    assert rows.to_pylist() == output.output.to_pylist()


def test_ray_reads_the_annotated_rows(output: Annotated) -> None:
    rows = ray.data.read_parquet(str(output.folder)).take_all()
    assert sorted(rows, key=lambda row: int(row["id"])) == output.output.to_pylist()


def test_a_finished_output_gets_its_card_when_that_is_asked_for_and_is_read_with_it(
    uninterrupted: Annotated, tmp_path: Path
) -> None:
    datasets.disable_progress_bars()
    config = uninterrupted.copied_to(tmp_path / "out").model_copy(update={"card": True})
    assert annotate(config).was_finished
    folder, expected = Path(config.output), uninterrupted.output.to_pylist()
    assert f"| rows | {len(expected):,} |" in (folder / "README.md").read_text()
    assert _with_datasets(str(folder), tmp_path / "cache") == expected
    assert sorted(ray.data.read_parquet(str(folder)).take_all(), key=lambda row: int(row["id"])) == expected
    assert pl.read_parquet(folder / "*.parquet").to_dicts() == expected
    parts = sorted(folder.glob("part-*.parquet"))
    assert ds.dataset(parts).to_table().to_pylist() == expected
    # Why there is none unless it is asked for: Arrow and pandas take every file in a folder for Parquet.
    with pytest.raises(pa.ArrowInvalid, match="README"):
        ds.dataset(folder)
