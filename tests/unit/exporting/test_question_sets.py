"""Outputs of question sets, wide and long, in every form."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from ray_qa.errors import InputError
from ray_qa.exporting.config import ExportConfig
from ray_qa.exporting.export import describe, export
from ray_qa.records import Question
from tests.unit.exporting.annotated import CONTEXTS, FAILED, answer, write_output

QUESTIONS = (Question(id="what", text='What is "blue" & <green>?'), Question(id="2.1", text="Wer 🙂?"))
ROWS = pa.table({"id": ["a", "b", "c"], "context": [CONTEXTS[0], None, CONTEXTS[1]]})
ANSWERS = [
    answer(CONTEXTS[0], "oxygen"),
    answer(CONTEXTS[0], "Nitrogen", margin=-1.0, answered=False),
    FAILED,
    FAILED,
    answer(CONTEXTS[1], "in 1902"),
    answer(CONTEXTS[1], "日本"),
]


@pytest.fixture
def wide(tmp_path: Path) -> Path:
    """Three contexts in two parts, each asked two questions whose answers are a column each."""
    return write_output(tmp_path / "wide", ROWS, ANSWERS, QUESTIONS, wide=True)


@pytest.fixture
def long(tmp_path: Path) -> Path:
    """The same as a row for each pair, with a prefix before the columns of the set."""
    return write_output(tmp_path / "long", ROWS, ANSWERS, QUESTIONS, prefix="qa_")


def exported(folder: Path, to: str, **settings: Any) -> Path:
    output = folder.parent / "exported"
    export(ExportConfig(input=str(folder), to=to, output=str(output), **settings))
    return output


@pytest.mark.parametrize("to", ["jsonl", "csv", "label-studio", "parquet"])
def test_a_wide_row_counts_once(wide: Path, to: str) -> None:
    config = ExportConfig(input=str(wide), to=to, output=str(wide.parent / "out"))
    assert describe(export(config)) == f"3 rows as {to} in {wide.parent}/out"


def test_the_answers_of_a_wide_row_are_objects_in_json(wide: Path) -> None:
    lines = [json.loads(line) for line in exported(wide, "jsonl").read_text("utf-8").splitlines()]
    assert lines == pq.read_table(wide).to_pylist()
    assert [row["what"]["answer"] for row in lines] == ["oxygen", None, "in 1902"]


def test_the_answers_of_a_wide_row_are_cells_in_csv(wide: Path) -> None:
    text = exported(wide, "csv", columns=("id", "what", "2.1")).read_bytes().decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    fields = [field.name for field in pq.read_schema(next(wide.glob("*.parquet"))).field("what").type]
    assert list(rows[0]) == ["id", *(f"{own_id}.{name}" for own_id in ("what", "2.1") for name in fields)]
    assert [row["2.1.span"] for row in rows] == ["Nitrogen", "", "日本"]
    assert [row["2.1.status"] for row in rows] == ["no_answer", "failed", "answered"]
    assert rows[1]["what.start"] == ""


def test_a_column_that_bears_the_name_of_such_a_cell_is_refused_unless_it_is_left_out(tmp_path: Path) -> None:
    rows = ROWS.append_column("what.answer", ROWS["id"])
    wide = write_output(tmp_path / "wide", rows, ANSWERS, QUESTIONS, wide=True)
    with pytest.raises(InputError, match=r"^`columns` must .* their own .* csv, but 'what\.answer' comes twice"):
        exported(wide, "csv")
    exported(wide, "csv", columns=("what",))


def test_a_wide_row_is_one_task_with_a_label_for_each_question(wide: Path, tmp_path: Path) -> None:
    output = exported(wide, "label-studio", labels_config=str(tmp_path / "labels.xml"))
    first, failed, last = json.loads(output.read_text("utf-8"))
    assert first["data"] == {"text": CONTEXTS[0], "id": "a"}
    assert failed["predictions"] == []
    (prediction,) = last["predictions"]
    assert [each["value"]["labels"] for each in prediction["result"]] == [["what"], ["2.1"]]
    assert [each["value"]["text"] for each in prediction["result"]] == ["in 1902", "日本"]
    assert len({each["id"] for each in prediction["result"]}) == 2
    assert [each["value"]["text"] for each in first["predictions"][0]["result"]] == ["oxygen"]
    root = ElementTree.parse(tmp_path / "labels.xml").getroot()
    labels = {label.get("value"): label.get("hint") for label in root.iter("Label")}
    assert labels == {question.id: question.text for question in QUESTIONS}
    (of_labels,), (text,) = root.iter("Labels"), root.iter("Text")
    for region in prediction["result"]:
        assert (region["from_name"], region["to_name"]) == (of_labels.get("name"), of_labels.get("toName"))
    assert (text.get("name"), text.get("value")) == (of_labels.get("toName"), "$text")


def test_a_prediction_is_as_sure_as_its_least_sure_answer(tmp_path: Path) -> None:
    unsure = [replace(ANSWERS[0], confidence=0.5), ANSWERS[1], *ANSWERS[2:]]
    wide = write_output(tmp_path / "wide", ROWS, unsure, QUESTIONS, wide=True)
    tasks = json.loads(exported(wide, "label-studio").read_text("utf-8"))
    assert [[each["score"] for each in task["predictions"]] for task in tasks] == [[0.5], [], [0.75]]


def test_a_wide_output_is_no_predictions_of_squad(wide: Path) -> None:
    with pytest.raises(InputError) as caught:
        exported(wide, "squad")
    assert caught.value.problems == (
        f"`to` squad must have one answer a row, but {wide} is wide, with 2 of them; use jsonl or csv",
    )


def test_parquet_gives_the_same_rows_and_a_card_that_knows_the_questions(wide: Path) -> None:
    output = exported(wide, "parquet")
    assert pq.read_table(output / "data").equals(pq.read_table(wide).replace_schema_metadata(None))
    assert "| 2.1 | struct | what was answered to the question of this name" in (output / "README.md").read_text()


def test_the_question_of_a_long_row_is_the_sets(long: Path) -> None:
    tasks = json.loads(exported(long, "label-studio", columns=("id", "qa_question_id")).read_text("utf-8"))
    assert len(tasks) == 6
    assert [task["data"]["question"] for task in tasks[:2]] == [question.text for question in QUESTIONS]
    assert [task["data"]["qa_question_id"] for task in tasks[:2]] == ["what", "2.1"]


def test_the_struct_columns_are_read_by_pandas_polars_and_duckdb_with_our_files_beside_them(wide: Path) -> None:
    assert {path.name for path in wide.iterdir() if path.suffix != ".parquet"} == {".ray_qa", "_SUCCESS"}
    expected = [answer.span for answer in ANSWERS[1::2]]
    parts = f"{wide}/*.parquet"
    assert [cell["span"] for cell in pd.read_parquet(wide)["2.1"]] == expected
    assert [row["2.1"]["span"] for row in ds.dataset(wide).to_table().to_pylist()] == expected
    assert pl.read_parquet(parts)["2.1"].struct.field("span").to_list() == expected
    duckdb = pytest.importorskip("duckdb", reason="duckdb is not installed")
    found = duckdb.sql(f"select \"2.1\".span as found from read_parquet('{parts}') order by id").to_arrow_table()
    assert found["found"].to_pylist() == expected
