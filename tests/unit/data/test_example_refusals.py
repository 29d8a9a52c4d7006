from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_qa.data.examples import SCHEMA, read_examples, survey_examples
from ray_qa.errors import InputError
from tests.unit.data.test_examples import (
    UINT64_ANSWERS,
    Row,
    a_row,
    refused,
    rows_of,
    write_jsonl,
    write_parquet,
    write_squad,
)


def test_rows_without_any_answer_are_refused_by_the_survey_alone(tmp_path: Path) -> None:
    rows = [a_row(answers={"text": [], "answer_start": []}), a_row(answers=None)]
    source = write_parquet(tmp_path / "rows.parquet", rows)
    assert rows_of(source) == rows
    with refused(r"`eval` must have rows with an answer, but none of the 2 of .*rows\.parquet has one; is the column"):
        survey_examples([source], "eval")


@pytest.mark.parametrize("name", ["rows.parquet", "rows.jsonl", "rows.json"])
def test_no_rows_are_refused(tmp_path: Path, name: str) -> None:
    write = {"rows.parquet": write_parquet, "rows.jsonl": write_jsonl, "rows.json": write_squad}[name]
    with refused(f"`train` must have rows, but .*{name} has none"):
        survey_examples([write(tmp_path / name, [])], "train")


def columns(**changes: Any) -> dict[str, Any]:
    """The columns of one row; an array is one already."""
    return {name: value if isinstance(value, pa.Array) else [value] for name, value in a_row(**changes).items()}


@pytest.mark.parametrize(
    ("there", "message"),
    [
        ({"Question": ["q"], "context": ["c"]}, "must have one column 'question', but .* has Question, context$"),
        ({"question": ["q"], "context": ["c"]}, "must have one column 'answers', but .* has question, context$"),
        ({}, "must have one column 'question', but .* has no columns$"),
        (columns(question=1), "must have text in 'question', but .* has int64$"),
        (columns(context=b"c"), "must have text in 'context', but .* has binary$"),
        (columns(context=["c"]), "must have text in 'context', but .* has list"),
        (columns(question=None), "must have text in 'question', but .* has null$"),
        (columns(answers=["c"]), r"must have struct\{text: list of texts, .* in 'answers', but .* has list"),
        (columns(answers=None), r"must have struct\{.*, but .* has null$"),
        (columns(answers={"text": ["c"]}), r"must have struct\{.*, but .* has struct<text: list<element: string>>$"),
        (columns(answers={"text": "c", "answer_start": 0}), r"must have struct\{.*, but .* has struct<text: string"),
        (columns(answers={"text": [1], "answer_start": [0]}), r"must have struct\{.*, but .* has struct<.*int64"),
        (columns(answers={"text": ["c"], "answer_start": ["0"]}), r"must have struct\{.*, but .* has struct"),
        (columns(answers={"text": ["c"], "answer_start": [0.5]}), r"must have struct\{.*, but .* has .*double"),
        (
            columns(answers=pa.array([{"text": ["c"], "answer_start": [2**63]}], UINT64_ANSWERS)),
            "must have texts and their places, but .* gives: Integer value 9223372036854775808 not in range",
        ),
        (columns(id={"a": 1}), "must have texts and their places, but .* gives: Unsupported cast"),
        (columns(answers={"text": ["c", None], "answer_start": [0, 1]}), "must have a text and a place .*row 1 of"),
        (columns(answers={"text": ["c"], "answer_start": [0, 1]}), "must have a text and a place .*, but row 1 of"),
        (columns(answers={"text": ["c"], "answer_start": []}), "must have a text and a place .*, but row 1 of"),
    ],
)
def test_parquet_of_another_shape_is_refused(tmp_path: Path, there: dict[str, Any], message: str) -> None:
    pq.write_table(pa.table(there), tmp_path / "rows.parquet")
    with refused(f"`train` {message}"):
        rows_of(str(tmp_path / "rows.parquet"))


@pytest.mark.parametrize("name", SCHEMA.names)
def test_a_column_that_comes_twice_is_refused(tmp_path: Path, name: str) -> None:
    table = pa.Table.from_pylist([a_row()], schema=SCHEMA)
    pq.write_table(table.append_column(name, table[name]), tmp_path / "rows.parquet")
    with refused(f"`train` must have one column '{name}', but .* has .*{name}"):
        rows_of(str(tmp_path / "rows.parquet"))


@pytest.mark.parametrize("row_group_size", [100, 5_000])
def test_a_wrong_answer_in_parquet_is_named_by_its_row_in_the_file(tmp_path: Path, row_group_size: int) -> None:
    rows = [a_row(), a_row(answers=None), a_row(answers={"text": [], "answer_start": []})] * 1_000
    rows[2_500] = a_row(answers={"text": [None], "answer_start": [0]})
    rows[2_700] = a_row(answers={"text": None, "answer_start": [0]})
    source = write_parquet(tmp_path / "rows.parquet", rows, row_group_size=row_group_size)
    with refused(r"`train` must have a text and a place .*, but row 2501 of .* has \{.*'text': \[None\]\}$"):
        rows_of(source)
    with refused("`train` must have a text and a place .*, but row 201 of"):
        rows_of(write_parquet(tmp_path / "later.parquet", [a_row(), *rows[2_501:]]))


@pytest.mark.parametrize("name", ["question", "context", "id"])
def test_text_in_parquet_that_is_not_unicode_is_refused(tmp_path: Path, name: str) -> None:
    broken = pa.array([b"K\xf6ln"]).view(pa.string())
    table = pa.Table.from_pylist([a_row()], schema=SCHEMA)
    pq.write_table(table.set_column(SCHEMA.names.index(name), name, broken), tmp_path / "rows.parquet")
    with refused(r"`train` must have texts and their places, but .* gives: .*UTF8"):
        rows_of(str(tmp_path / "rows.parquet"))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ([], r"must have rows with question, context and answers, but row 2 of .* is \[\]$"),
        ({"question": "q"}, "must have rows with question, context and answers, but row 2 of .* is "),
        (a_row(question=5), "must have texts as question and context, but row 2 of .* has "),
        (a_row(context=["c"]), "must have texts as question and context, but row 2 of"),
        (a_row(answers="c"), r"must have answers as \{text: .*, but row 2 of .* has 'c'$"),
        (a_row(answers=["c"]), r"must have answers as .*, but row 2 of .* has \['c'\]$"),
        (a_row(answers=[{"answer_start": 0}]), "must have answers as .*, but row 2 of"),
        (a_row(answers={"text": ["c"]}), "must have answers as .*, but row 2 of"),
        (a_row(answers={"text": ["c"], "answer_start": []}), "must have answers as .*, but row 2 of"),
        (a_row(answers={"text": [None], "answer_start": [0]}), "must have answers as .*, but row 2 of"),
        (a_row(answers={"text": ["c"], "answer_start": ["0"]}), "must have answers as .*, but row 2 of"),
        (a_row(answers={"text": ["c"], "answer_start": [True]}), "must have answers as .*, but row 2 of"),
        (a_row(answers={"text": ["c"], "answer_start": [0.0]}), "must have answers as .*, but row 2 of"),
        (a_row(answers={"text": ["c"], "answer_start": [2**63]}), "must have texts and their places, but .* gives: "),
        (a_row(question="\ud83d"), "must have texts and their places, but .* gives: .*surrogates"),
    ],
)
def test_jsonl_of_another_shape_is_refused(tmp_path: Path, row: object, message: str) -> None:
    with refused(f"`train` {message}"):
        rows_of(write_jsonl(tmp_path / "rows.jsonl", [a_row(), row]))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "x.jsonl",
            b'\n{"answers": []}\n\n{"answers"\n',
            "must have a JSON object in every line, but line 4 of .* gives",
        ),
        ("x.jsonl", b'{"answers": []}\n' + b"[" * 100_000, "must have a JSON object in every line, but line 2 of"),
        (
            "x.jsonl",
            b'{"answers": [], "id": ' + b"9" * 5_000 + b"}",
            "must have a JSON object in every line, but line 1",
        ),
        ("x.jsonl", b'{"answers": [], "question": "K\xf6ln"}', "must be readable JSONL, but .* gives: 'utf-8' codec"),
        ("x.JSONL", b"{", "must have a JSON object in every line, but line 1 of"),
        ("x.json", b'{"data": [', "must be SQuAD JSON or Parquet, but .* is not JSON"),
        ("x.json", b'{"data": "K\xf6ln"}', "must be SQuAD JSON or Parquet, but .* is not JSON: 'utf-8' codec"),
        ("x.json", b"[]", "must be SQuAD JSON, but .* has no list 'data'"),
        ("x.parquet", b"", "must be readable Parquet files, but .* gives: "),
        ("x.parquet", b"PAR1 but not really PAR1", "must be readable Parquet files, but .* gives: "),
        ("x.parquet", None, "must lead to Parquet, SQuAD JSON or JSONL files (.*), but .* leads to nothing"),
        ("x.jsonl", None, "must lead to Parquet, SQuAD JSON or JSONL files (.*), but .* leads to nothing"),
    ],
)
def test_unreadable_files_are_refused(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with refused(f"`train` {message}"):
        rows_of(str(tmp_path / name))


@pytest.mark.parametrize("kept", [0.3, 0.9, 0.999])
@pytest.mark.parametrize("name", ["x.parquet", "x.jsonl", "x.json"])
def test_truncated_files_are_refused(tmp_path: Path, name: str, kept: float) -> None:
    write = {"x.parquet": write_parquet, "x.jsonl": write_jsonl, "x.json": write_squad}[name]
    path = Path(write(tmp_path / name, [a_row(context="Köln " * 50)]))
    content = path.read_bytes().rstrip()
    path.write_bytes(content[: int(len(content) * kept)])
    with refused(f"`train` must .*{name} "):
        survey_examples([str(path)], "train")


def test_a_file_that_comes_twice_or_is_not_there_is_refused_before_any_is_read(tmp_path: Path) -> None:
    first = write_parquet(tmp_path / "a.parquet", [a_row()])
    with refused("`train` must name every file once, but names .*a.parquet twice"):
        next(read_examples([first, str(tmp_path / "*.parquet")], "train"))
    with refused("`train` must lead to Parquet, SQuAD JSON or JSONL files (.*), but .*b.parquet leads to nothing"):
        next(read_examples([first, str(tmp_path / "b.parquet")], "train"))


characters = st.characters(exclude_categories=())  # lone surrogates too
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([2**63, -(2**63) - 1])
    | st.floats()
    | st.text(characters, max_size=5)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(characters, max_size=5), inner, max_size=3),
    max_leaves=8,
)
answers_like = (
    values
    | st.fixed_dictionaries(
        {"text": st.lists(st.text(characters, max_size=3), max_size=2), "answer_start": st.lists(scalars, max_size=2)}
    )
    | st.lists(st.fixed_dictionaries({"text": st.text(max_size=3)}, optional={"answer_start": scalars}), max_size=2)
)
rows_like = st.fixed_dictionaries(
    {"question": st.text(max_size=5) | values, "context": st.text(max_size=5) | values, "answers": answers_like},
    optional={"id": values},
)


@given(st.lists(values | rows_like, min_size=1, max_size=3))
def test_any_json_values_give_rows_or_one_line_that_says_why_not(lines: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source = write_jsonl(Path(folder, "rows.jsonl"), lines)
        rows: list[Row] = []
        problem = ""
        try:
            rows = rows_of(source)
        except InputError as error:
            problem = str(error)
    if problem:
        assert problem.startswith("`train` must ")
        assert len(problem.splitlines()) == 1
    else:
        assert [row["question"] for row in rows] == [line.get("question") for line in lines]
        assert all(isinstance(row["id"], str) for row in rows)
