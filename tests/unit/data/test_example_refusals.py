from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ray_qa.errors import InputError
from tests.unit.data.test_examples import (
    GIVEN,
    UINT64_ANSWERS,
    Row,
    a_row,
    refused,
    rows_of,
    survey,
    write_jsonl,
    write_parquet,
    write_squad,
)


def test_rows_without_any_answer_are_refused_by_the_survey_alone(tmp_path: Path) -> None:
    rows = [a_row(answers={"text": [], "answer_start": []}), a_row(answers=None)]
    source = write_parquet(tmp_path / "rows.parquet", rows)
    assert rows_of(source) == rows
    with refused(r"`eval` must have rows with an answer, but none of the 2 of .*rows\.parquet has one; is the column"):
        survey(source, setting="eval")


@pytest.mark.parametrize("name", ["rows.parquet", "rows.jsonl", "rows.json"])
def test_no_rows_are_refused(tmp_path: Path, name: str) -> None:
    write = {"rows.parquet": write_parquet, "rows.jsonl": write_jsonl, "rows.json": write_squad}[name]
    with refused(f"`train` must have rows, but .*{name} has none"):
        survey(write(tmp_path / name, []))


def columns(**changes: Any) -> dict[str, Any]:
    """The columns of one row; an array is one already."""
    return {name: value if isinstance(value, pa.Array) else [value] for name, value in a_row(**changes).items()}


@pytest.mark.parametrize(
    ("there", "message"),
    [
        (
            {"Question": ["q"], "context": ["c"]},
            "must have one column 'question', but .* has Question, context; name yours with --question-column$",
        ),
        (
            {"question": ["q"], "context": ["c"]},
            "must have one column 'answers', but .* has question, context; name yours with --answers-column$",
        ),
        ({}, "must have one column 'question', but .* has no columns; name yours with --question-column$"),
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
        (columns(id={"a": 1}), "must have texts and their places, but .* gives: Unsupported cast"),
    ],
)
def test_parquet_of_another_shape_is_refused(tmp_path: Path, there: dict[str, Any], message: str) -> None:
    pq.write_table(pa.table(there), tmp_path / "rows.parquet")
    with refused(f"`train` {message}"):
        rows_of(str(tmp_path / "rows.parquet"))


@pytest.mark.parametrize("name", GIVEN.names)
def test_a_column_that_comes_twice_is_refused(tmp_path: Path, name: str) -> None:
    table = pa.Table.from_pylist([a_row()], schema=GIVEN)
    pq.write_table(table.append_column(name, table[name]), tmp_path / "rows.parquet")
    with refused(f"`train` must have one column '{name}', but .* has .*{name}"):
        rows_of(str(tmp_path / "rows.parquet"))


def parquet_answers(values: list[Any], kind: pa.DataType) -> pa.Table:
    """A row for each value of ``answers``."""
    given = {name: [value] * len(values) for name, value in a_row(context="c 🙂 c").items()}
    return pa.table(given | {"answers": pa.array(values, kind)})


LISTS = pa.struct([("text", pa.list_(pa.string())), ("answer_start", pa.list_(pa.float64()))])
PAIRS = pa.list_(pa.struct([("text", pa.large_string()), ("answer_start", pa.int32())]))
BAD: dict[str, Any] = {"malformed": "answers_malformed"}


def good(texts: list[str], starts: list[int | None]) -> Row:
    return a_row(context="c 🙂 c", answers={"text": texts, "answer_start": starts})


@pytest.mark.parametrize(
    ("table", "rows"),
    [
        (
            parquet_answers(
                [
                    {"text": ["c"], "answer_start": [0.0]},
                    {"text": ["c"], "answer_start": [0.5]},
                    {"text": ["c", "c"], "answer_start": [None, float("nan")]},
                    {"text": ["c"], "answer_start": [float("inf")]},
                    {"text": ["c"], "answer_start": [2.0**63]},
                    {"text": ["c", None], "answer_start": [0.0, 1.0]},
                    {"text": ["c"], "answer_start": [0.0, 1.0]},
                    {"text": ["c"], "answer_start": []},
                    {"text": None, "answer_start": [0.0]},
                    {"text": ["c"], "answer_start": [4.0]},
                ],
                LISTS,
            ),
            [good(["c"], [0]), BAD, good(["c", "c"], [None, None]), *[BAD] * 6, good(["c"], [4])],
        ),
        (
            parquet_answers(
                [{"text": ["c"], "answer_start": [2**63]}, {"text": [], "answer_start": []}], UINT64_ANSWERS
            ),
            [BAD, good([], [])],
        ),
        (
            parquet_answers(
                [
                    [{"text": "c", "answer_start": 0}, {"text": "🙂", "answer_start": None}],
                    [{"text": None, "answer_start": 0}],
                    [],
                    [None],
                    None,
                    [{"text": "c", "answer_start": 4}],
                ],
                PAIRS,
            ),
            [
                good(["c", "🙂"], [0, None]),
                BAD,
                good([], []),
                BAD,
                a_row(context="c 🙂 c", answers=None),
                good(["c"], [4]),
            ],
        ),
    ],
)
@pytest.mark.parametrize("row_group_size", [1, 3, 100])
def test_answers_in_parquet_may_be_lists_or_pairs_and_those_that_are_neither_are_malformed_one_by_one(
    tmp_path: Path, table: pa.Table, rows: list[Row], row_group_size: int
) -> None:
    pq.write_table(table, tmp_path / "rows.parquet", row_group_size=row_group_size)
    assert rows_of(str(tmp_path / "rows.parquet"), max_dropped=1.0) == rows


@pytest.mark.parametrize("name", ["question", "context", "answers"])
def test_text_in_parquet_that_is_not_unicode_is_malformed(tmp_path: Path, name: str) -> None:
    broken = _not_unicode()
    table = pa.Table.from_pylist([a_row()] * 3, schema=GIVEN)
    column: pa.Array = broken
    if name == "answers":
        column = pa.StructArray.from_arrays(
            [pa.ListArray.from_arrays([0, 1, 2, 2], broken.slice(0, 2)), pa.array([[0], [0], []])],
            ["text", "answer_start"],
        )
    pq.write_table(table.set_column(GIVEN.names.index(name), name, column), tmp_path / "rows.parquet")
    reason = "answers_malformed" if name == "answers" else f"{name}_not_unicode"
    rows = rows_of(str(tmp_path / "rows.parquet"), max_dropped=0.4)
    assert [row.get("malformed") for row in rows] == [None, reason, None]


def _not_unicode() -> pa.Array:
    offsets, data = pa.array([0, 3, 7, 7], pa.int32()).buffers()[1], pa.py_buffer(b"gutK\xf6ln")
    return pa.StringArray.from_buffers(3, offsets, data)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ([], "row_not_object"),
        (a_row(question=5), "question_not_text"),
        (a_row(context=["c"]), "context_not_text"),
        (a_row(question="\ud83d"), "question_not_unicode"),
        (a_row(context="\ud83d"), "context_not_unicode"),
        (a_row(answers="c"), "answers_malformed"),
        (a_row(answers=["c"]), "answers_malformed"),
        (a_row(answers=[{"answer_start": 0}]), "answers_malformed"),
        (a_row(answers={"text": ["c"]}), "answers_malformed"),
        (a_row(answers={"text": "c", "answer_start": 0}), "answers_malformed"),
        (a_row(answers={"text": ["c"], "answer_start": []}), "answers_malformed"),
        (a_row(answers={"text": [None], "answer_start": [0]}), "answers_malformed"),
        (a_row(answers={"text": ["\ud83d"], "answer_start": [0]}), "answers_malformed"),
        (a_row(answers={"text": ["c"], "answer_start": ["0"]}), "answers_malformed"),
        (a_row(answers={"text": ["c"], "answer_start": [True]}), "answers_malformed"),
        (a_row(answers={"text": ["c"], "answer_start": [0.5]}), "answers_malformed"),
        (a_row(answers={"text": ["c"], "answer_start": [float("inf")]}), "answers_malformed"),
        (a_row(answers={"text": ["c"], "answer_start": [2**63]}), "answers_malformed"),
    ],
)
def test_jsonl_rows_of_another_shape_are_malformed_one_by_one(tmp_path: Path, row: object, reason: str) -> None:
    source = write_jsonl(tmp_path / "rows.jsonl", [a_row(), row, a_row()])
    assert rows_of(source, max_dropped=0.5) == [a_row(), {"malformed": reason}, a_row()]
    with refused(
        r"`train` must have at most 5% malformed rows \(`max_dropped`\), but .*rows\.jsonl has 1 of 3, "
        rf"the first in line 2 \({reason}\): "
    ):
        rows_of(source)


def test_places_in_jsonl_may_be_whole_floating_point_numbers(tmp_path: Path) -> None:
    row = a_row(answers={"text": ["Köln", "In"], "answer_start": [3.0, float("nan")]})
    assert rows_of(write_jsonl(tmp_path / "rows.jsonl", [row])) == [
        a_row(answers={"text": ["Köln", "In"], "answer_start": [3, None]})
    ]


@pytest.mark.parametrize(
    "line", [b'{"answers"', b"[" * 100_000, b'{"id": ' + b"9" * 5_000 + b"}", b'{"id": "K\xf6ln"}']
)
def test_lines_that_are_no_json_are_malformed_and_counted_as_people_count_them(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "rows.JSONL"
    path.write_bytes(b"\n" + json.dumps(a_row()).encode() + b"\n\n" + line)
    assert rows_of(str(path), max_dropped=0.5) == [a_row(), {"malformed": "line_not_json"}]
    with refused(r"`train` must have at most 5% .* has 1 of 2, the first in line 4 \(line_not_json\): "):
        rows_of(str(path))


@pytest.mark.parametrize("allowed", [0.0, 0.05, 0.1])
def test_a_file_is_refused_above_the_share_of_malformed_rows_and_counted_file_by_file(
    tmp_path: Path, allowed: float
) -> None:
    fine = write_jsonl(tmp_path / "fine.jsonl", [a_row()] * 100)
    broken = write_jsonl(tmp_path / "broken.jsonl", [[] if number < 6 else a_row() for number in range(100)])
    if allowed < 0.06:
        with refused(rf"`train` must have at most {allowed:.0%} .*broken\.jsonl has 6 of 100, the first in line 1 "):
            survey(fine, broken, max_dropped=allowed)
    else:
        surveyed = survey(fine, broken, max_dropped=allowed)
        assert (surveyed.rows, surveyed.answerable, surveyed.malformed) == (200, 194, {"row_not_object": 6})


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.json", b'{"data": [', "must be SQuAD JSON or Parquet, but .* is not JSON"),
        ("x.json", b'{"data": "K\xf6ln"}', "must be SQuAD JSON or Parquet, but .* is not JSON: 'utf-8' codec"),
        ("x.json", b"[]", "must be SQuAD JSON, but .* has no list 'data'"),
        ("x.parquet", b"", "must be readable Parquet files, but .* gives: "),
        ("x.parquet", b"PAR1 but not really PAR1", "must be readable Parquet files, but .* gives: "),
        ("x.parquet", None, "must lead to row files (.*), but .* leads to nothing"),
        ("x.jsonl", None, "must lead to row files (.*), but .* leads to nothing"),
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
        survey(str(path))


def test_a_file_that_comes_twice_or_is_not_there_is_refused_before_any_is_read(tmp_path: Path) -> None:
    first = write_parquet(tmp_path / "a.parquet", [a_row()])
    with refused("`train` must name every file once, but names .*a.parquet twice"):
        rows_of(first, str(tmp_path / "*.parquet"))
    with refused("`train` must lead to row files (.*), but .*b.parquet leads to nothing"):
        rows_of(first, str(tmp_path / "b.parquet"))


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
@example([{"\x85": None}])
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
        assert not any("malformed" in row for row in rows)


def everything(lines: list[Any]) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        return rows_of(write_jsonl(Path(folder, "rows.jsonl"), lines), max_dropped=1.0)


@given(st.lists(values | rows_like, min_size=1, max_size=3))
def test_no_row_is_lost_whatever_json_values_there_are(lines: list[Any]) -> None:
    # The first row has all keys, so that it is not the file that is refused.
    for row, line in zip(everything([a_row(), *lines]), [a_row(), *lines], strict=True):
        assert "malformed" in row or row["question"] == line.get("question")


@pytest.mark.parametrize(
    ("keys", "missing"),
    [
        (
            {"query": "question"},
            "'question', but .* has id, query, context, answers; name yours with --question-column",
        ),
        ({"ctx": "context"}, "'context', but .*; name yours with --context-column"),
        ({"ans": "answers"}, "'answers', but .*; name yours with --answers-column"),
    ],
)
def test_keys_that_no_row_has_are_refused_by_name(tmp_path: Path, keys: dict[str, str], missing: str) -> None:
    ((name, of),) = keys.items()
    rows = [{name if key == of else key: value for key, value in a_row().items()}] * 3
    with refused(f"`train` must have a key {missing}$"):
        rows_of(write_jsonl(tmp_path / "rows.jsonl", [[], *rows]), max_dropped=1.0)
