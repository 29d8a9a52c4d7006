from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_qa.errors import InputError
from ray_qa.examples import CHUNK_ROWS, SCHEMA, read_examples, row_ids, survey_examples, write_examples

Row = dict[str, Any]
INT32_ANSWERS, UINT64_ANSWERS = (
    pa.struct([("text", pa.list_(pa.string())), ("answer_start", pa.list_(integer))])
    for integer in (pa.int32(), pa.uint64())
)


def a_row(**changes: Any) -> Row:
    return {
        "id": "a",
        "question": "Wo?",
        "context": "In Köln 🙂",
        "answers": {"text": ["Köln"], "answer_start": [3]},
        **changes,
    }


def pairs(row: Row) -> Row:
    """A row with its answers in the other form, as a list of objects."""
    answers = row["answers"]
    both = zip(answers["text"], answers["answer_start"], strict=True)
    return {**row, "answers": [{"text": text, "answer_start": start} for text, start in both]}


def write_parquet(path: Path, rows: list[Row], schema: pa.Schema = SCHEMA, row_group_size: int | None = None) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA).cast(schema), path, row_group_size=row_group_size)
    return str(path)


def write_jsonl(path: Path, rows: list[Any]) -> str:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return str(path)


def write_squad(path: Path, rows: list[Row]) -> str:
    """Each row in a paragraph of its own."""
    paragraphs = [
        {"context": row["context"], "qas": [{name: value for name, value in pairs(row).items() if name != "context"}]}
        for row in rows
    ]
    path.write_text(json.dumps({"version": "v2.0", "data": [{"title": "t", "paragraphs": paragraphs}]}))
    return str(path)


def rows_of(*sources: str) -> list[Row]:
    rows: list[Row] = []
    for table in read_examples(sources, "train"):
        assert table.schema.equals(SCHEMA)
        assert 0 < table.num_rows <= CHUNK_ROWS
        table.validate(full=True)
        rows += table.to_pylist()
    return rows


@contextmanager
def refused(message: str) -> Iterator[None]:
    with pytest.raises(InputError, match=f"^{message}") as error:
        yield
    assert len(str(error.value).splitlines()) == 1


@st.composite
def some_rows(draw: st.DrawFn) -> list[Row]:
    answer = st.tuples(st.text(max_size=3), st.none() | st.integers(-5, 2**63 - 1))
    rows = []
    for number in range(draw(st.integers(1, 5))):
        answers = draw(st.lists(answer, max_size=3))
        rows.append(
            a_row(
                id=f"{draw(st.text(max_size=2))}{number}",
                question=draw(st.none() | st.text(max_size=5)),
                context=draw(st.none() | st.text(max_size=5)),
                answers={"text": [text for text, _ in answers], "answer_start": [start for _, start in answers]},
            )
        )
    return rows


@given(some_rows())
def test_equal_rows_are_equal_in_every_format(rows: list[Row]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sources = [
            write_parquet(folder / "rows.parquet", rows),
            write_parquet(folder / "groups.parquet", rows, row_group_size=1),
            write_jsonl(folder / "rows.jsonl", rows),
            write_jsonl(folder / "pairs.jsonl", [pairs(row) for row in rows]),
            write_squad(folder / "rows.json", rows),
        ]
        for source in sources:
            assert rows_of(source) == rows
        if any(row["answers"]["text"] for row in rows):
            surveys = {survey_examples([source], "train") for source in sources}
            assert [(each.rows, each.answerable) for each in surveys] == [
                (len(rows), sum(bool(row["answers"]["text"]) for row in rows))
            ]


TEXT_TYPES = [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]


@pytest.mark.parametrize("text", TEXT_TYPES, ids=str)
@pytest.mark.parametrize("start", [pa.int32(), pa.uint8(), pa.int64()], ids=str)
@pytest.mark.parametrize("list_of", [pa.list_, pa.large_list])
def test_parquet_may_have_any_kind_of_text_integer_and_list(
    tmp_path: Path, text: pa.DataType, start: pa.DataType, list_of: Callable[[pa.DataType], pa.DataType]
) -> None:
    rows = [a_row(), a_row(id="b", question=None, answers={"text": [], "answer_start": []}), a_row(answers=None)]
    answers = pa.StructArray.from_arrays(
        [
            pa.array([["Köln"], [], None]).cast(list_of(text)),
            pa.array([[3], [], None]).cast(list_of(start)),
            pa.array([1, 2, 3]),
        ],
        names=["text", "answer_start", "annotator"],
    )
    columns = {name: pa.array([row[name] for row in rows], pa.string()).cast(text) for name in SCHEMA.names[:3]}
    pq.write_table(pa.table({"title": ["t"] * 3, **columns, "answers": answers}), tmp_path / "rows.parquet")
    assert rows_of(str(tmp_path / "rows.parquet")) == rows


def test_null_answers_stay_null_in_parquet_and_jsonl(tmp_path: Path) -> None:
    rows = [a_row(), a_row(answers=None), a_row(answers={"text": [], "answer_start": []})]
    sources = [
        write_parquet(tmp_path / "rows.parquet", rows),
        write_parquet(tmp_path / "int32.parquet", rows, SCHEMA.set(3, pa.field("answers", INT32_ANSWERS))),
        write_jsonl(tmp_path / "rows.jsonl", rows),
    ]
    for source in sources:
        assert rows_of(source) == rows
    assert {survey_examples([source], "train").answerable for source in sources} == {1}
    assert len({survey_examples([source], "train").sha256 for source in sources}) == 1


@pytest.mark.parametrize("suffix", ["parquet", "jsonl", "json"])
def test_rows_without_an_id_are_numbered_through(tmp_path: Path, suffix: str) -> None:
    rows: list[Row] = [a_row(id="own" if number == 1 else None) for number in range(CHUNK_ROWS + 2)]
    write = {"parquet": write_parquet, "jsonl": write_jsonl, "json": write_squad}[suffix]
    ids = [row["id"] for row in rows_of(write(tmp_path / f"rows.{suffix}", rows))]
    assert ids == ["row 0", "own", *(f"row {number}" for number in range(2, CHUNK_ROWS + 2))]


@pytest.mark.parametrize("suffix", ["parquet", "jsonl", "json"])
def test_ids_may_be_missing_or_integers(tmp_path: Path, suffix: str) -> None:
    plain = [{name: value for name, value in a_row().items() if name != "id"}] * 2
    for rows, wanted in [(plain, ["row 0", "row 1"]), ([{"id": number, **plain[0]} for number in (7, 8)], ["7", "8"])]:
        path = tmp_path / f"rows.{suffix}"
        if suffix == "parquet":
            pq.write_table(pa.Table.from_pylist(rows), path)
        else:
            (write_jsonl if suffix == "jsonl" else write_squad)(path, rows)
        assert [row["id"] for row in rows_of(str(path))] == wanted


def test_lists_that_are_always_empty_need_no_type(tmp_path: Path) -> None:
    rows = [a_row(answers={"text": [], "answer_start": []})]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "rows.parquet")
    assert rows_of(str(tmp_path / "rows.parquet")) == rows


def test_sources_are_read_in_order_and_folders_and_globs_in_that_of_names(tmp_path: Path) -> None:
    rows = {name: a_row(id=name) for name in "abcdef"}
    write_parquet(tmp_path / "folder" / "b.parquet", [rows["b"]])
    write_jsonl(tmp_path / "folder" / "a.jsonl", [rows["a"]])
    write_parquet(tmp_path / "folder" / "inner" / "c.parquet", [rows["c"]])
    write_parquet(tmp_path / "folder" / "_hidden" / "x.parquet", [a_row(id="x")])
    (tmp_path / "folder" / "README.md").touch()
    write_squad(tmp_path / "d.json", [rows["d"]])
    write_parquet(tmp_path / "e.parquet", [rows["e"]])
    write_parquet(tmp_path / "f.rows", [rows["f"]])  # a file that is named is Parquet unless it says otherwise
    sources = [str(tmp_path / "f.rows"), str(tmp_path / "[de].*"), str(tmp_path / "folder")]
    assert [row["id"] for row in rows_of(*sources)] == list("fdeabc")


def test_a_byte_order_mark_and_empty_lines_are_passed_over(tmp_path: Path) -> None:
    line = json.dumps(a_row(), ensure_ascii=False)
    (tmp_path / "rows.jsonl").write_text(f"\n{line}\r\n  \n{line}", encoding="utf-8-sig")
    assert rows_of(str(tmp_path / "rows.jsonl")) == [a_row(), a_row()]


ANY_CHANGE: list[list[Row]] = [
    [a_row(id="b")],
    [a_row(question="Wo? ")],
    [a_row(question=None)],
    [a_row(question="")],
    [a_row(context="In Köln 🙃")],
    [a_row(answers={"text": ["In Köln"], "answer_start": [3]})],
    [a_row(answers={"text": ["Köln"], "answer_start": [4]})],
    [a_row(answers={"text": ["Köln"], "answer_start": [None]})],
    [a_row(answers={"text": ["Köln", "Köln"], "answer_start": [3, 3]})],
    [a_row(), a_row(answers=None)],
    [a_row(), a_row(answers={"text": [], "answer_start": []})],
    [a_row(), a_row()],
    [a_row(), a_row(id="b")],
    [a_row(id="b"), a_row()],
]


def test_the_digest_changes_with_every_value_and_is_the_same_when_read_again(tmp_path: Path) -> None:
    def digest(rows: list[Row]) -> str:
        source = write_parquet(tmp_path / "rows.parquet", rows)
        again = [survey_examples([source], "train").sha256 for _ in range(2)]
        assert again[0] == again[1]
        return again[0]

    assert len({digest(rows) for rows in [[a_row()], *ANY_CHANGE]}) == 1 + len(ANY_CHANGE)


def test_written_rows_are_the_rows_that_were_read_in_groups_that_fit_one_task(tmp_path: Path) -> None:
    rows = [a_row(id=str(number)) for number in range(CHUNK_ROWS + 10)]
    sources = [write_jsonl(tmp_path / "a.jsonl", rows), write_parquet(tmp_path / "b.parquet", rows[:5])]
    path = tmp_path / "out" / "train.parquet"
    path.parent.mkdir()
    write_examples(sources, "train", path)
    assert pq.read_table(path).to_pylist() == rows + rows[:5]
    metadata = pq.read_metadata(path)
    assert [metadata.row_group(nth).num_rows for nth in range(metadata.num_row_groups)] == [CHUNK_ROWS, 10, 5]
    assert row_ids(path, [CHUNK_ROWS + 11, 0, 7]) == ["1", "0", "7"]
    assert [written.name for written in path.parent.iterdir()] == ["train.parquet"]


def test_nothing_is_written_where_a_later_row_is_wrong(tmp_path: Path) -> None:
    source = write_jsonl(tmp_path / "rows.jsonl", [a_row()] * CHUNK_ROWS + [{}])
    (tmp_path / "out").mkdir()
    with refused(f"`train` must have rows with .*row {CHUNK_ROWS + 1} of"):
        write_examples([source], "train", tmp_path / "out" / "train.parquet")
    assert list((tmp_path / "out").iterdir()) == []


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
        ("x.parquet", None, "must lead to Parquet, SQuAD JSON or JSONL files, but .* leads to nothing"),
        ("x.jsonl", None, "must lead to Parquet, SQuAD JSON or JSONL files, but .* leads to nothing"),
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
    with refused("`train` must lead to Parquet, SQuAD JSON or JSONL files, but .*b.parquet leads to nothing"):
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


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, while ``datasets`` reaches no hub and keeps its files there."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    import datasets

    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_data_set_is_read_by_name_and_split(offline: Path) -> None:
    train = [a_row(id=str(number), answers=None if number % 3 else a_row()["answers"]) for number in range(2_500)]
    schema = SCHEMA.set(3, pa.field("answers", INT32_ANSWERS)).set(1, pa.field("question", pa.large_string()))
    write_parquet(offline / "owner" / "name" / "train-00000.parquet", train[:1_000], schema)
    write_parquet(offline / "owner" / "name" / "train-00001.parquet", train[1_000:], schema)
    write_parquet(offline / "owner" / "name" / "validation.parquet", [a_row(id="v")], schema)
    # A folder that is there is read as one, so it takes the split to have datasets find it.
    assert rows_of("owner/name:train") == train
    assert rows_of("owner/name:validation") == [a_row(id="v")]
    assert [row["id"] for row in rows_of("owner/name")] == [str(number) for number in range(2_500)] + ["v"]
    same = write_jsonl(offline / "same.jsonl", train)
    assert survey_examples(["owner/name:train"], "train") == survey_examples([same], "train")
    with refused("`eval` must be .* data sets that can be fetched, but 'owner/name:dev' is no file .*Unknown split"):
        survey_examples(["owner/name:dev"], "eval")


def test_a_data_set_of_another_shape_is_refused(offline: Path) -> None:
    (offline / "name").mkdir()
    pq.write_table(pa.table({"question": ["q"], "context": ["c"], "label": [1]}), offline / "name" / "train.parquet")
    with refused("`train` must have one column 'answers', but name:train has question, context, label$"):
        rows_of("name:train")


@pytest.mark.parametrize("source", ["nobody/nothing", "nothing_at_all:validation", "mistyped.parqet"])
@pytest.mark.usefixtures("offline")
def test_a_name_that_is_neither_file_nor_data_set_is_refused(source: str) -> None:
    with refused(f"`train` must be files, .*, but '{source}' is no file here, and datasets gave: .*Offline"):
        survey_examples([source], "train")
