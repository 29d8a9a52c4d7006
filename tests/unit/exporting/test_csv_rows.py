from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_qa.exporting.config import ExportConfig
from ray_qa.exporting.csv_rows import cell, quoted
from ray_qa.exporting.export import export
from tests.unit.exporting.annotated import FAILED, write_output


def csv_of(annotated: Path, output: Path, **settings: Any) -> str:
    export(ExportConfig(input=str(annotated), to="csv", output=str(output), **settings))
    return output.read_bytes().decode()


def rows_of(texts: list[str | None], tmp_path: Path) -> Path:
    nothing = pa.nulls(len(texts), pa.string())
    columns = {"question": nothing, "context": nothing, "note": pa.array(texts, pa.string())}
    return write_output(tmp_path / "annotated", pa.table(columns), [FAILED] * len(texts))


@given(st.lists(st.text(), min_size=1))
def test_pythons_own_reader_gets_the_texts_back(texts: list[str]) -> None:
    line = ",".join(map(quoted, texts)) + "\r\n"
    if line != "\r\n":
        assert list(csv.reader(io.StringIO(line, newline=""))) == [texts]


def test_every_line_is_a_row_and_ends_as_the_standard_has_it(annotated: Path, tmp_path: Path) -> None:
    text = csv_of(annotated, tmp_path / "out.csv", columns=("id", "context", "answer", "start", "confidence"))
    assert text.startswith(
        'id,context,answer,start,confidence\r\na,"Nitrogen is blue 😀, oxygen is green.",oxygen,20,0.75'
    )
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert [row[0] for row in rows] == ["id", *"abcde"]
    assert rows[2][1] == "Anna sailed\r\nto 日本 in 1902."
    assert rows[3][2:] == ["", "", ""]


def test_pandas_reads_what_was_written(annotated: Path, tmp_path: Path) -> None:
    csv_of(annotated, tmp_path / "out.csv")
    frame = pd.read_csv(tmp_path / "out.csv")
    assert frame["answer"].tolist()[:2] == ["oxygen", "in 1902"]
    assert frame["start"].isna().tolist() == [False, False, True, False, False]


def test_nested_values_are_json(annotated: Path, tmp_path: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(csv_of(annotated, tmp_path / "out.csv"), newline="")))
    assert [json.loads(row["answers"])["text"] for row in rows] == [["oxygen"], ["1902"], [], ["Japan"], []]


def test_null_is_nothing_and_an_empty_text_is_two_quotes(tmp_path: Path) -> None:
    annotated = rows_of(["", None, "x"], tmp_path)
    assert csv_of(annotated, tmp_path / "out.csv", columns=("note", "windows")) == (
        'note,windows\r\n"",0\r\n,0\r\nx,0\r\n'
    )
    # A line without anything would pass for no row.
    assert csv_of(annotated, tmp_path / "one.csv", columns=("note",)) == 'note\r\n""\r\n""\r\nx\r\n'


@pytest.mark.parametrize(("value", "text"), [(True, "true"), (1.5, "1.5"), (-3, "-3"), ([1, None], '"[1, null]"')])
def test_values_are_as_json_has_them(value: object, text: str) -> None:
    assert cell(value) == text


def test_texts_that_spreadsheets_take_for_formulas_stay_and_are_told_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    annotated = rows_of(["=1+1", "@x", "-3", "fine", "a=b"], tmp_path)
    assert "\r\n=1+1\r\n@x\r\n-3\r\n" in csv_of(annotated, tmp_path / "out.csv", columns=("note",))
    assert "3 texts begin with = + - or @" in capsys.readouterr().err
    csv_of(annotated, tmp_path / "none.csv", columns=("windows", "start_score"))
    assert capsys.readouterr().err == ""
