from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ray_qa.data.gold import GoldRows
from ray_qa.errors import InputError
from ray_qa.judging.judge import judge_against
from ray_qa.judging.predictions import open_predictions, prediction_tables


def write_parts(folder: Path, *parts: dict[str, list[Any]], finished: bool = True) -> str:
    folder.mkdir()
    (folder / ".ray_qa").mkdir()
    for number, columns in enumerate(parts):
        pq.write_table(pa.table(columns), folder / f"part-{number:07}.parquet")
    if finished:
        (folder / "_SUCCESS").touch()
    return str(folder)


def write_json(path: Path, document: object) -> str:
    path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    return str(path)


@contextmanager
def refused(message: str) -> Iterator[None]:
    with pytest.raises(InputError, match=f"^{message}") as error:
        yield
    assert len(str(error.value).splitlines()) == 1


def read(path: str, id_column: str, prefix: str) -> dict[str, str]:
    """Ids and answers of all rows, once they have been judged against gold rows of the same ids."""
    predictions = open_predictions(path, prefix=prefix, partial=False)
    column = "id" if predictions.table is not None else id_column
    answer = predictions.ours("answer")
    tables = list(prediction_tables(predictions, [column, answer]))
    pairs = [(str(row[column]), row[answer] or "") for table in tables for row in table.to_pylist()]
    ids = pa.chunked_array([pa.array(list(dict.fromkeys(row_id for row_id, _ in pairs)), pa.string())])
    gold = GoldRows(ids=ids, texts=pa.chunked_array([pa.array([[]] * len(ids), pa.list_(pa.string()))]))
    assert judge_against(predictions, gold, id_column).rows.is_present_N.all()
    return dict(pairs)


def test_predictions_come_from_the_parts_with_null_as_no_answer(tmp_path: Path) -> None:
    folder = write_parts(
        tmp_path / "out",
        {"id": [3, 1], "qa_answer": ["Köln", None], "answer": ["other", "other"]},
        {"id": [2], "qa_answer": pa.array([None], pa.string()), "answer": ["other"]},
    )
    assert list(read(folder, "id", "qa_").items()) == [("3", "Köln"), ("1", ""), ("2", "")]


def test_predictions_come_from_json(tmp_path: Path) -> None:
    path = write_json(tmp_path / "predictions.txt", {"b": "東京", "a": "", "7": None})
    assert list(read(path, "ignored", "ignored").items()) == [("b", "東京"), ("a", ""), ("7", "")]


def test_an_unfinished_or_empty_folder_is_refused(tmp_path: Path) -> None:
    folder = write_parts(tmp_path / "out", {"id": ["1"], "answer": ["x"]}, finished=False)
    with refused(f"`predictions` must be a finished run of annotate, but {folder} has no _SUCC"):
        read(folder, "id", "")
    with refused("`predictions` must lead to Parquet files"):
        read(write_parts(tmp_path / "empty"), "id", "")


@pytest.mark.parametrize("name", ["x.jsonl", "x.PARQUET", "x.csv.gz"])
def test_a_file_of_rows_is_refused_with_what_to_give(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text('{"id": "1", "answer": "x"}\n')
    with refused(
        r"`predictions` must be a folder that annotate wrote, or a JSON file .* is a table of rows; "
        "give the folder that annotate wrote"
    ):
        read(str(tmp_path / name), "id", "")


@pytest.mark.parametrize("name", ["nosuch", "nosuch.json", "nosuch.parquet"])
def test_what_is_not_there_is_said_not_to_be(tmp_path: Path, name: str) -> None:
    with refused(f"`predictions` must be a folder that annotate wrote, or .*, but {tmp_path}/{name} is not there$"):
        read(str(tmp_path / name), "id", "")


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (
            {"id": ["1"], "qa_answer": ["x"]},
            "must have a column 'answer', but .*part-0000000.parquet has id, qa_answer",
        ),
        ({"answer": ["x"]}, "must have a column 'id', but .*part-0000000.parquet has answer"),
        ({"id": ["1", "1"], "answer": ["x", "y"]}, "must have every id once, but row 2 of .* repeats '1'"),
        ({"id": [None], "answer": ["x"]}, "must have an id in every row, but row 1 of"),
        ({"id": ["1"], "answer": [5]}, "must have texts in 'answer', but .*out has int64"),
        ('["x"]', r"must be a JSON object \{id: text\}, but .* has a list"),
        ('{"1": ["x"]}', "must have a text for every id, but row 1 of"),
        ('{"1": "x", "1": "y"}', "must have every id once, but row 2 of .* repeats '1'"),
    ],
)
def test_predictions_of_another_shape_are_refused(tmp_path: Path, part: dict[str, Any] | str, message: str) -> None:
    path = tmp_path / "out"
    if isinstance(part, str):
        path.write_text(part)
    else:
        write_parts(path, part)
    with refused(f"`predictions` {message}"):
        read(str(path), "id", "")
