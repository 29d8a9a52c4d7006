"""``ray-qa export`` out of a bucket and into it."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from ray_qa.errors import RayQaError
from ray_qa.exporting.config import ExportConfig
from ray_qa.exporting.export import export
from ray_qa.runs.cards import is_our_card, put_card
from ray_qa.storage import objects, places
from ray_qa.storage.remote import Remote

FORMS = ("squad", "jsonl", "csv", "label-studio")


@pytest.mark.parametrize("to", FORMS)
def test_a_file_in_a_bucket_is_the_one_that_is_written_here(
    to: str, annotated: Path, folder: Remote, tmp_path: Path
) -> None:
    export(ExportConfig(input=str(annotated), to=to, output=str(tmp_path / "out")))
    config = ExportConfig(input=f"{folder}/annotated", to=to, output=f"{folder}/out")
    assert export(config).rows == 5
    assert objects.read(folder / "out") == (tmp_path / "out").read_bytes()
    with pytest.raises(RayQaError, match=f"^`output` must be a new file, but {folder}/out is there"):
        export(config)
    export(config.model_copy(update={"overwrite": True}))


@pytest.mark.usefixtures("annotated")
def test_a_folder_of_parquet_files_is_written_and_replaced(folder: Remote) -> None:
    config = ExportConfig(input=f"{folder}/annotated", to="parquet", output=f"{folder}/hub", rows_per_file=2)
    export(config)
    assert places.names_in(folder / "hub") == [".ray_qa", "README.md", "_SUCCESS", "data"]
    assert is_our_card(folder / "hub" / "README.md")
    with pytest.raises(RayQaError, match=r"holds an export; use --overwrite$"):
        export(config)
    export(config.model_copy(update={"overwrite": True, "rows_per_file": 3}))
    names = places.names_in(folder / "hub" / "data")
    tables = [pq.read_table(io.BytesIO(objects.read(folder / "hub" / "data" / name))) for name in names]
    assert [table.num_rows for table in tables] == [3, 2]


@pytest.mark.usefixtures("annotated")
def test_nothing_is_written_into_the_output_that_is_exported(folder: Remote) -> None:
    with pytest.raises(RayQaError, match=r"^`output` must lie outside the output that is read"):
        export(ExportConfig(input=f"{folder}/annotated", to="csv", output=f"{folder}/annotated/out.csv"))


@pytest.mark.usefixtures("annotated")
def test_an_unfinished_output_is_refused(folder: Remote) -> None:
    places.delete([folder / "annotated" / "_SUCCESS"])
    config = ExportConfig(input=f"{folder}/annotated", to="squad", output=f"{folder}/out")
    with pytest.raises(RayQaError, match=r"^`input` must be finished, but"):
        export(config)
    export(config.model_copy(update={"partial": True}))
    assert json.loads(objects.read(folder / "out"))["a"] == "oxygen"


def test_a_persons_card_in_a_bucket_is_left_alone(folder: Remote) -> None:
    card = folder / "README.md"
    assert put_card(card, "# Ours")
    assert put_card(card, "# Ours again")
    objects.publish(card, b"mine")
    assert not put_card(card, "# Ours")
    assert objects.read(card) == b"mine"
