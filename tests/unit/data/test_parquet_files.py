from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ray_qa.data.parquet_files import Inputs, read_inputs
from ray_qa.errors import InputError
from ray_qa.settings import ColumnSettings

CORPUS = {"id": [1, 2, 3], "question": ["a?", "b?", None], "context": ["aa", "bb", "cc"]}


def write(path: Path, columns: dict[str, Any] | pa.Table = CORPUS, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(columns if isinstance(columns, pa.Table) else pa.table(columns), path, **options)
    return path


def read(*paths: Path | str, known: Inputs | None = None, keep: tuple[str, ...] = ()) -> Inputs:
    return read_inputs([str(path) for path in paths], ColumnSettings(keep=keep), known)


def refusal(*paths: Path | str) -> str:
    with pytest.raises(InputError) as caught:
        read(*paths)
    (line,) = caught.value.problems
    assert "\n" not in line
    return line


def test_a_file_is_described_by_its_footer(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", row_group_size=2)
    inputs = read(path)
    (file,) = inputs.files
    assert (file.path, file.size, file.mtime_ns) == (str(path), path.stat().st_size, path.stat().st_mtime_ns)
    assert file.rows == (2, 1)
    assert inputs.rows == 3
    assert inputs.schema.names == ["id", "question", "context"]


def test_text_bytes_are_those_of_the_question_and_context_columns_of_each_row_group(tmp_path: Path) -> None:
    columns = {"question": ["q" * 100, "q"], "context": ["c" * 1_000, "c"], "extra": ["x" * 9_999, "x"]}
    path = write(tmp_path / "a.parquet", columns, row_group_size=1, use_dictionary=False, write_statistics=False)
    (file,) = read(path).files
    assert 1_100 < file.text_bytes[0] < 1_300
    assert 2 < file.text_bytes[1] < 200


def test_the_footers_hash_changes_with_the_content_and_only_with_it(tmp_path: Path) -> None:
    first, same = write(tmp_path / "a.parquet"), write(tmp_path / "b.parquet")
    other = write(tmp_path / "c.parquet", CORPUS | {"id": [1, 2, 4]})
    digests = [file.footer_sha256 for file in read(first, same, other).files]
    assert digests[0] == digests[1] != digests[2]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty (0 bytes)"),
        (b"PAR1", "does not end as one: it is truncated or something else"),
        (b"id,question\n1,why?\n" * 9, "does not end as one: it is truncated or something else"),
        (b"PAR1" + b"\xff\xff\xff\x7f" + b"PAR1", "does not end as one: it is truncated or something else"),
        (b"PAR1" + b"\x00" * 40 + b"\x10\x00\x00\x00" + b"PAR1", "gives: "),
    ],
)
def test_what_is_no_parquet_file_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.parquet").write_bytes(content)
    line = refusal(tmp_path / "a.parquet")
    assert line.startswith("`input` must be ")
    assert f"{tmp_path / 'a.parquet'} {message}" in line


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("a.csv", b"id,question\n1,why?\n" * 9, "CSV; write it as Parquet"),
        ("a.txt", b"The tower leans.\n" * 9, "a text; give --context-from files where each file is a context"),
        ("a.TXT.gz", b"\x1f\x8b\x08\0" * 9, "a text; give --context-from files where each file is a context"),
        ("a.JSONL", b'{"question": "why?"}\n' * 9, "JSON; write it as Parquet"),
        ("a.rows", b"ARROW1\0\0" * 9, "an Arrow (Feather) file; write it as Parquet"),
        ("a.parquet", b"\x1f\x8b\x08\0" * 9, "compressed with gzip; unpack it"),
    ],
)
def test_what_is_read_instead_of_parquet_gets_a_name(tmp_path: Path, name: str, content: bytes, kind: str) -> None:
    (tmp_path / name).write_bytes(content)
    assert f"but {tmp_path / name} is {kind}" in refusal(tmp_path / name)


def test_all_bad_files_are_named_and_left_out_where_that_is_asked_for(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        pq.write_table(pa.table({"question": ["who?"], "context": ["she"]}), tmp_path / f"{name}.parquet")
    for name in ("a", "c"):
        path = tmp_path / f"{name}.parquet"
        path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(InputError) as caught:
        read_inputs([str(tmp_path)], ColumnSettings())
    assert [str(tmp_path / f"{name}.parquet") in line for name, line in zip("ac", caught.value.problems, strict=True)]
    inputs = read_inputs([str(tmp_path)], ColumnSettings(), skip_bad=True)
    assert [file.path for file in inputs.files] == [str(tmp_path / "b.parquet")]
    assert inputs.left_out == caught.value.problems
    (tmp_path / "b.parquet").unlink()
    with pytest.raises(InputError, match="truncated"):
        read_inputs([str(tmp_path)], ColumnSettings(), skip_bad=True)


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet")
    path.write_bytes(path.read_bytes()[:-20])
    assert "truncated" in refusal(tmp_path)


def test_a_corpus_without_rows_is_refused_but_one_empty_file_is_not(tmp_path: Path) -> None:
    empty = write(tmp_path / "a.parquet", pa.table(CORPUS).slice(0, 0))
    assert refusal(empty) == f"`input` must have rows, but {empty} has none"
    assert read(empty, write(tmp_path / "b.parquet")).rows == 3


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"id": [1], "question": ["a"]}, "b.parquet has no column 'context', which {a} has"),
        (CORPUS | {"id": ["1", "2", "3"]}, "b.parquet has 'id' as string, {a} as int64"),
        (CORPUS | {"more": [1, 2, 3]}, "b.parquet has a column 'more', which {a} has not"),
    ],
)
def test_files_whose_schemas_differ_are_refused_and_the_difference_named(
    tmp_path: Path, other: dict[str, Any], message: str
) -> None:
    first = write(tmp_path / "a.parquet")
    write(tmp_path / "b.parquet", other)
    line = refusal(tmp_path)
    assert line.startswith("`input` files must share one schema, but ")
    assert message.format(a=first) in line


def test_metadata_that_writers_leave_in_the_schema_makes_no_difference(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", pa.table(CORPUS).replace_schema_metadata({"pandas": "something"}))
    write(tmp_path / "b.parquet")
    assert read(tmp_path).rows == 6


def test_files_that_differ_in_order_width_and_nulls_are_read_as_one(tmp_path: Path) -> None:
    first = write(tmp_path / "a.parquet", CORPUS | {"note": [None] * 3})
    wide = {"context": pa.array(["c"], pa.large_string()), "note": ["n"], "question": ["q"], "id": [4]}
    write(tmp_path / "b.parquet", wide)
    schema = read(tmp_path).schema
    assert schema.names == pq.read_schema(first).names
    assert schema.field("context").type == pa.large_string()
    assert schema.field("note").type == pa.string()


def test_columns_that_are_not_kept_may_differ(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", CORPUS | {"more": [1, 2, 3]})
    write(tmp_path / "b.parquet", CORPUS | {"more": ["x", "y", "z"]})
    write(tmp_path / "c.parquet")
    assert "'more'" in refusal(tmp_path)
    assert read(tmp_path, keep=("id",)).rows == 9


def test_columns_that_folders_state_come_last_in_the_schema_unless_the_files_have_them(tmp_path: Path) -> None:
    write(tmp_path / "id=9/year=2023/a.parquet")
    write(tmp_path / "id=9/year=2024/b.parquet")
    inputs = read(tmp_path)
    assert inputs.schema.names == ["id", "question", "context", "year"]
    assert inputs.schema.field("id").type == pa.int64()
    assert [dict(file.partitions)["year"] for file in inputs.files] == [2023, 2024]


def test_text_that_a_dictionary_holds_once_counts_as_often_as_rows_have_it(tmp_path: Path) -> None:
    passages = ["a" * 100_000, None, "ü" * 1_000]
    columns = {"question": ["why?"] * 3_000, "context": [passages[number % 3] for number in range(3_000)]}
    for dictionary in (False, True):
        table = pa.table(columns)
        if dictionary:
            table = table.set_column(1, "context", table["context"].dictionary_encode())
        path = write(tmp_path / f"{dictionary}.parquet", table)
        assert path.stat().st_size < 200_000
        (file,) = read(path).files
        assert file.text_bytes == (3_000 * 4 + 1_000 * (100_000 + 2_000),)


def test_files_known_from_an_earlier_run_are_read_again_only_where_size_or_time_changed(tmp_path: Path) -> None:
    paths = [write(tmp_path / name) for name in ("a.parquet", "b.parquet", "c.parquet")]
    known = read(tmp_path)
    whole = paths[1].read_bytes()
    paths[1].write_bytes(b"X" * len(whole))
    os.utime(paths[1], ns=(known.files[1].mtime_ns,) * 2)
    assert read(tmp_path, known=known) == known

    os.utime(paths[1])
    with pytest.raises(InputError, match=r"b\.parquet does not end as one"):
        read(tmp_path, known=known)

    paths[1].write_bytes(whole)
    again = read(tmp_path, known=known)
    assert [file.footer_sha256 for file in again.files] == [file.footer_sha256 for file in known.files]
    assert again.files[1].mtime_ns == paths[1].stat().st_mtime_ns


def test_the_schema_of_known_files_is_not_believed_once_one_has_changed(tmp_path: Path) -> None:
    first = write(tmp_path / "a.parquet")
    write(tmp_path / "b.parquet")
    known = read(tmp_path)
    write(first, {"id": ["x"], "question": ["a"], "context": ["b"]})
    with pytest.raises(InputError, match=r"b\.parquet has 'id' as int64"):
        read(tmp_path, known=known)


def test_known_files_are_described_anew_where_their_folders_now_state_columns(tmp_path: Path) -> None:
    write(tmp_path / "year=2023/a.parquet")
    known = read(tmp_path / "year=2023")
    assert read(tmp_path, known=known).schema.names == ["id", "question", "context", "year"]
