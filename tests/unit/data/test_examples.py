from __future__ import annotations

import json
import os
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

from ray_qa.data.example_schema import CHUNK_ROWS, SCHEMA, ExampleColumns, Setting
from ray_qa.data.examples import Examples, ExamplesSummary, read_examples, row_ids, survey_examples, write_examples
from ray_qa.errors import InputError

Row = dict[str, Any]
INT32_ANSWERS, UINT64_ANSWERS = (
    pa.struct([("text", pa.list_(pa.string())), ("answer_start", pa.list_(integer))])
    for integer in (pa.int32(), pa.uint64())
)

GIVEN = SCHEMA.remove(SCHEMA.get_field_index("malformed"))
"""What files have."""
NOTHING = ExamplesSummary(rows=0, answerable=0, sha256="")


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


def write_parquet(path: Path, rows: list[Row], schema: pa.Schema = GIVEN, row_group_size: int | None = None) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=GIVEN).cast(schema), path, row_group_size=row_group_size)
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


def survey(*sources: str, setting: Setting = "train", **options: Any) -> ExamplesSummary:
    return survey_examples(Examples(sources=sources, setting=setting, **options))


def write(*sources: str, path: Path, expected: ExamplesSummary) -> None:
    write_examples(Examples(sources=sources, setting="train"), path, expected)


def rows_of(*sources: str, **options: Any) -> list[Row]:
    """All rows; with the reason alone where one is malformed, and else without."""
    rows = [row for table in _tables(*sources, **options) for row in table.to_pylist()]
    return [
        {"malformed": row["malformed"]} if row["malformed"] else {name: row[name] for name in GIVEN.names}
        for row in rows
    ]


def _tables(*sources: str, **options: Any) -> Iterator[pa.Table]:
    for table in read_examples(Examples(sources=sources, setting="train", **options)):
        assert table.schema.equals(SCHEMA)
        assert 0 < table.num_rows <= CHUNK_ROWS
        table.validate(full=True)
        yield table


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
            surveys = [survey(source) for source in sources]
            assert all(each == surveys[0] for each in surveys)
            assert surveys[0].rows == len(rows)
            assert surveys[0].answerable == sum(bool(row["answers"]["text"]) for row in rows)


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
        write_parquet(tmp_path / "int32.parquet", rows, GIVEN.set(3, pa.field("answers", INT32_ANSWERS))),
        write_jsonl(tmp_path / "rows.jsonl", rows),
    ]
    for source in sources:
        assert rows_of(source) == rows
    assert {survey(source).answerable for source in sources} == {1}
    assert len({survey(source).sha256 for source in sources}) == 1


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
        again = [survey(source).sha256 for _ in range(2)]
        assert again[0] == again[1]
        return again[0]

    assert len({digest(rows) for rows in [[a_row()], *ANY_CHANGE]}) == 1 + len(ANY_CHANGE)


def test_written_rows_are_the_rows_that_were_read_in_groups_that_fit_one_task(tmp_path: Path) -> None:
    rows = [a_row(id=str(number)) for number in range(CHUNK_ROWS + 10)]
    sources = [write_jsonl(tmp_path / "a.jsonl", rows), write_parquet(tmp_path / "b.parquet", rows[:5])]
    path = tmp_path / "out" / "train.parquet"
    path.parent.mkdir()
    write(*sources, path=path, expected=survey(*sources))
    assert pq.read_table(path).drop("malformed").to_pylist() == rows + rows[:5]
    metadata = pq.read_metadata(path)
    assert [metadata.row_group(nth).num_rows for nth in range(metadata.num_row_groups)] == [CHUNK_ROWS, 10, 5]
    assert row_ids(path, [CHUNK_ROWS + 11, 0, 7]) == ["1", "0", "7"]
    assert [written.name for written in path.parent.iterdir()] == ["train.parquet"]


def test_nothing_is_written_where_a_later_row_is_wrong(tmp_path: Path) -> None:
    source = write_jsonl(tmp_path / "rows.jsonl", [a_row()] * CHUNK_ROWS + [[]] * CHUNK_ROWS)
    (tmp_path / "out").mkdir()
    with refused("`train` must have at most 5% malformed rows .*, the first in line 2,049"):
        write(source, path=tmp_path / "out" / "train.parquet", expected=NOTHING)
    assert list((tmp_path / "out").iterdir()) == []


def test_nothing_is_written_of_rows_that_have_changed_since_they_were_surveyed(tmp_path: Path) -> None:
    source = write_jsonl(tmp_path / "rows.jsonl", [a_row()] * 3)
    surveyed = survey(source)
    write_jsonl(tmp_path / "rows.jsonl", [a_row()] * 4)
    (tmp_path / "out").mkdir()
    with refused("`train` must stay as it is while it is read, but .* has changed; run again"):
        write(source, path=tmp_path / "out" / "train.parquet", expected=surveyed)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("suffix", ["parquet", "jsonl", "json"])
def test_columns_may_have_other_names_but_those_of_squad_json(tmp_path: Path, suffix: str) -> None:
    names = ExampleColumns(question="q", context="passage", answers="gold")
    rows = [a_row(), a_row(id="b", answers=None)]
    path = tmp_path / f"rows.{suffix}"
    if suffix == "parquet":
        given = pa.Table.from_pylist(rows, schema=GIVEN)
        pq.write_table(given.rename_columns(["id", "q", "passage", "gold"]), path)
    else:
        renamed = [dict(zip(["id", "q", "passage", "gold"], row.values(), strict=True)) for row in rows]
        if suffix == "jsonl":
            write_jsonl(path, renamed)
        else:
            rows = rows[:1]
            write_squad(path, rows)
    assert rows_of(str(path), columns=names) == rows


def test_an_object_a_line_is_read_from_a_json_file_too(tmp_path: Path) -> None:
    assert rows_of(write_jsonl(tmp_path / "rows.json", [a_row(), a_row(id="b")])) == [a_row(), a_row(id="b")]


def test_saved_data_sets_are_read_and_their_splits_by_name(tmp_path: Path) -> None:
    import datasets

    train, dev = [a_row(id=str(number)) for number in range(3)], [a_row(id="dev")]
    both = {name: datasets.Dataset.from_list(rows) for name, rows in (("train", train), ("dev", dev))}
    datasets.disable_progress_bars()
    both["train"].save_to_disk(tmp_path / "one")
    datasets.DatasetDict(both).save_to_disk(tmp_path / "all")
    assert rows_of(str(tmp_path / "one")) == rows_of(str(tmp_path / "all")) == train
    assert rows_of(f"{tmp_path / 'all'}:dev") == dev
    assert [Path(file.path).suffix for file in survey(f"{tmp_path / 'all'}:dev").files] == [".arrow", ".arrow"]
    with refused("`eval` must name a split, .*all:SPLIT, one of dev, train, but names none"):
        survey(str(tmp_path / "all"), setting="eval")
    with refused(r"`train` must name a split of .*all \(dev, train\), but it has no 'test'"):
        survey(f"{tmp_path / 'all'}:test")
    with refused("`train` must name every data set once, but names .*one twice"):
        survey(str(tmp_path / "one"), str(tmp_path / "one"))


def test_files_that_an_earlier_survey_tells_of_are_not_read_again_unless_they_have_changed(tmp_path: Path) -> None:
    source = Path(write_jsonl(tmp_path / "rows.jsonl", [a_row(), a_row(question=None)]))
    known = survey(str(source))

    def again(**options: Any) -> ExamplesSummary:
        return survey_examples(Examples(sources=(str(source),), setting="train", **options), known)

    content, state = source.read_bytes(), source.stat()
    source.write_bytes(b"x" * len(content))
    os.utime(source, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert again() is known
    with refused("`train` must have at most 5% malformed rows"):
        again(columns=ExampleColumns(question="q"))
    source.write_bytes(content)
    os.utime(source, ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    assert again() == known
    assert again() is not known


def test_the_digest_is_of_the_rows_however_they_are_cut(tmp_path: Path) -> None:
    rows = [a_row(id=str(number), answers=None if number % 3 else a_row()["answers"]) for number in range(50)]
    digests = {
        survey(write_parquet(tmp_path / "rows.parquet", rows, row_group_size=size)).sha256 for size in (1, 7, 50)
    }
    assert len(digests) == 1


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
    schema = GIVEN.set(3, pa.field("answers", INT32_ANSWERS)).set(1, pa.field("question", pa.large_string()))
    write_parquet(offline / "owner" / "name" / "train-00000.parquet", train[:1_000], schema)
    write_parquet(offline / "owner" / "name" / "train-00001.parquet", train[1_000:], schema)
    write_parquet(offline / "owner" / "name" / "validation.parquet", [a_row(id="v")], schema)
    # A folder that is there is read as one, so it takes the split to have datasets find it.
    assert rows_of("owner/name:train") == train
    assert rows_of("owner/name:validation") == [a_row(id="v")]
    assert [row["id"] for row in rows_of("owner/name")] == [str(number) for number in range(2_500)] + ["v"]
    same = write_jsonl(offline / "same.jsonl", train)
    assert survey("owner/name:train") == survey(same)
    with refused("`eval` must be .* data sets that can be fetched, but 'owner/name:dev' is no file .*Unknown split"):
        survey("owner/name:dev", setting="eval")


def test_a_data_set_of_another_shape_is_refused(offline: Path) -> None:
    (offline / "name").mkdir()
    pq.write_table(pa.table({"question": ["q"], "context": ["c"], "label": [1]}), offline / "name" / "train.parquet")
    with refused("`train` must have one column 'answers', but name:train has question, context, label; name yours"):
        rows_of("name:train")


@pytest.mark.parametrize("source", ["nobody/nothing", "nothing_at_all:validation", "mistyped.parqet"])
@pytest.mark.usefixtures("offline")
def test_a_name_that_is_neither_file_nor_data_set_is_refused(source: str) -> None:
    with refused(f"`train` must be files, .*, but '{source}' is no file here, and datasets gave: .*Offline"):
        survey(source)
