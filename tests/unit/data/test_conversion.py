from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ray_qa.data import conversion
from ray_qa.data.conversion import bring_into_parquet, remove_others
from ray_qa.data.row_sources import find_rows
from ray_qa.errors import InputError


def jsonl(path: Path, *rows: dict[str, Any]) -> str:
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return str(path)


def brought(pattern: str, folder: Path) -> list[Path]:
    found = find_rows([pattern], "input")
    return [Path(file.path) for source in found.sources for file in bring_into_parquet(source, folder, "input").files]


def rows_of(files: list[Path]) -> list[dict[str, Any]]:
    return [row for file in files for row in pq.read_table(file).to_pylist()]


def test_rows_are_brought_into_parquet_once(tmp_path: Path) -> None:
    rows = [{"question": "q", "context": str(number)} for number in range(5_000)]
    source = jsonl(tmp_path / "rows.jsonl", *rows)
    files = brought(source, tmp_path / "rows")
    assert rows_of(files) == rows
    written = [file.stat().st_mtime_ns for file in files]
    assert brought(source, tmp_path / "rows") == files
    assert [file.stat().st_mtime_ns for file in files] == written
    jsonl(tmp_path / "rows.jsonl", *rows[:3])
    assert rows_of(brought(source, tmp_path / "rows")) == rows[:3]


def test_parquet_is_read_where_it_lies(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), tmp_path / "a.parquet")
    assert brought(str(tmp_path / "a.parquet"), tmp_path / "rows") == [tmp_path / "a.parquet"]
    assert not (tmp_path / "rows").exists()


def test_columns_may_come_late_and_their_types_grow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ray_qa.data.object_tables.CHUNK_ROWS", 1)
    rows: list[dict[str, Any]] = [
        {"a": None, "answers": {"text": []}},
        {"a": 1, "answers": {"text": ["x"]}},
        {"a": 1.5, "late": "yes", "answers": {"text": [], "more": 1}},
        {"a": 2, "answers": None},
    ]
    files = brought(jsonl(tmp_path / "rows.jsonl", *rows), tmp_path / "rows")
    assert len({pq.read_schema(file) for file in files}) == 1
    found = rows_of(files)
    assert [row["a"] for row in found] == [None, 1.0, 1.5, 2.0]
    assert [row["late"] for row in found] == [None, None, "yes", None]
    assert [row["answers"] for row in found] == [
        {"text": [], "more": None},
        {"text": ["x"], "more": None},
        {"text": [], "more": 1},
        None,
    ]


def test_a_column_of_two_kinds_is_refused_and_leaves_no_half(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ray_qa.data.object_tables.CHUNK_ROWS", 1)
    source = jsonl(tmp_path / "rows.jsonl", {"a": 1}, {"a": "x"})
    with pytest.raises(InputError, match=r"in .*rows\.jsonl 'a' is int64 up to row 1, and string from there on"):
        brought(source, tmp_path / "rows")
    assert not list((tmp_path / "rows").glob("*.json"))


def test_large_sources_become_several_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversion, "FILE_BYTES", 10_000)
    monkeypatch.setattr("ray_qa.data.object_tables.CHUNK_ROWS", 10)
    rows = [{"context": f"{number} " * 20} for number in range(1_000)]
    files = brought(jsonl(tmp_path / "rows.jsonl", *rows), tmp_path / "rows")
    assert len(files) > 3
    assert rows_of(files) == rows


def test_in_a_folder_other_forms_count_where_there_is_no_parquet(tmp_path: Path) -> None:
    folder = tmp_path / "corpus"
    folder.mkdir()
    jsonl(folder / "b.jsonl", {"context": "b"})
    (folder / "a.csv").write_text("context\na\n")
    assert [Path(source.name).name for source in find_rows([str(folder)], "input").sources] == ["a.csv", "b.jsonl"]
    pq.write_table(pa.table({"context": ["c"]}), folder / "c.parquet")
    found = find_rows([str(folder)], "input")
    assert [Path(source.name).name for source in found.sources] == ["c.parquet"]
    assert [Path(name).name for name in found.passed_over] == ["a.csv", "b.jsonl"]


def test_a_source_without_rows_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("context\n")
    with pytest.raises(InputError, match=r"`input` must have rows, but .*rows\.csv has none"):
        brought(str(tmp_path / "rows.csv"), tmp_path / "rows")


def test_what_lies_nowhere_is_refused_with_the_forms_that_are_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"must lead to row files \(.*\*\.csv.*\), but .*x\.csv leads to nothing"):
        find_rows([str(tmp_path / "x.csv")], "input")


def test_what_nobody_needs_any_more_is_removed(tmp_path: Path) -> None:
    source = jsonl(tmp_path / "rows.jsonl", {"a": 1})
    old = brought(source, tmp_path / "rows")
    jsonl(tmp_path / "rows.jsonl", {"a": 22})
    new = brought(source, tmp_path / "rows")
    remove_others(tmp_path / "rows", {str(file) for file in new})
    assert not old[0].exists()
    assert sorted(path.suffix for path in (tmp_path / "rows").iterdir()) == [".json", ".parquet"]
    assert brought(source, tmp_path / "rows") == new
    remove_others(tmp_path / "nowhere", set())


def test_objects_without_keys_are_null_until_one_has_some(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ray_qa.data.object_tables.CHUNK_ROWS", 1)
    rows: list[dict[str, Any]] = [{"a": {}, "b": [{}]}, {"a": {"c": 1}, "b": [None, None]}]
    found = rows_of(brought(jsonl(tmp_path / "rows.jsonl", *rows), tmp_path / "rows"))
    assert found == [{"a": None, "b": [None]}, {"a": {"c": 1}, "b": [None, None]}]


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([{"a": 2**53 + 1}, {"a": 1.5}], "'a' cannot be double in all rows .Integer value 9007199254740993"),
        ([{"x": 1, "a": 1}, {"x": 1.5, "a": "s"}], "'a' is int64 up to row 1, and string from there on"),
        ([{"a": json.loads("[" * 60 + "]" * 60)}], "'a' is list.*…, which Parquet cannot hold .*too deeply nested"),
    ],
)
def test_rows_that_no_table_holds_are_refused_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: list[dict[str, Any]], says: str
) -> None:
    monkeypatch.setattr("ray_qa.data.object_tables.CHUNK_ROWS", 1)
    with pytest.raises(InputError, match=rf"rows\.jsonl {says}") as refused:
        brought(jsonl(tmp_path / "rows.jsonl", *rows), tmp_path / "rows")
    assert len(refused.value.problems) == 1


def test_two_columns_of_a_name_are_refused(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    with pa.OSFile(str(tmp_path / "x.arrow"), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(InputError, match=r"in .*x\.arrow two columns have the name 'a'"):
        brought(str(tmp_path / "x.arrow"), tmp_path / "rows")
