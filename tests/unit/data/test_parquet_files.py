from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ray_qa.data.parquet_files import InputFile, Inputs, find_files, read_inputs
from ray_qa.errors import InputError

TEXT_COLUMNS = ("question", "context")
CORPUS = {"id": [1, 2, 3], "question": ["a?", "b?", None], "context": ["aa", "bb", "cc"]}


def write(path: Path, columns: dict[str, Any] | pa.Table = CORPUS, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(columns if isinstance(columns, pa.Table) else pa.table(columns), path, **options)
    return path


def read(*paths: Path | str, known: dict[str, InputFile] | None = None) -> Inputs:
    return read_inputs([str(path) for path in paths], TEXT_COLUMNS, known)


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


def test_files_folders_and_globs_come_in_the_order_given_and_by_name_within(tmp_path: Path) -> None:
    for name in ("z.parquet", "folder/b.parquet", "folder/a/deep.parquet", "folder/c.txt", "g1.pq", "g2.pq"):
        write(tmp_path / name)
    found = find_files([str(tmp_path / "z.parquet"), str(tmp_path / "folder"), str(tmp_path / "g?.pq")], "input")
    assert [str(Path(path).relative_to(tmp_path)) for path in found] == [
        "z.parquet",
        "folder/a/deep.parquet",
        "folder/b.parquet",
        "g1.pq",
        "g2.pq",
    ]


def test_hidden_and_underscored_names_in_folders_are_passed_over(tmp_path: Path) -> None:
    for name in (".ray_qa/x.parquet", ".hidden.parquet", "_draft.parquet", "in/_no/x.parquet", "in/yes.parquet"):
        write(tmp_path / "corpus" / name)
    assert find_files([str(tmp_path / "corpus")], "input") == [str(tmp_path / "corpus/in/yes.parquet")]


def test_a_folder_whose_own_path_is_hidden_is_read(tmp_path: Path) -> None:
    write(tmp_path / ".cache/_corpus/a.parquet")
    assert len(find_files([str(tmp_path / ".cache/_corpus")], "input")) == 1


def test_paths_become_absolute_so_that_workers_find_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "a.parquet")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find_files(["a.parquet"], "input") == find_files(["~/a.parquet"], "input") == [str(tmp_path / "a.parquet")]


def test_a_name_with_brackets_is_a_file_before_it_is_a_glob(tmp_path: Path) -> None:
    path = write(tmp_path / "a[1].parquet")
    assert find_files([str(path)], "input") == [str(path)]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [("nowhere.parquet", "nothing"), ("*.parquet", "nothing"), ("empty", r"no Parquet file (*.parquet)")],
)
def test_a_pattern_that_leads_nowhere_is_named(tmp_path: Path, pattern: str, found: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty/readme.txt").touch()
    wanted = f"`input` must lead to Parquet files, but {tmp_path / pattern} leads to {found}"
    assert refusal(tmp_path / pattern) == wanted


def test_a_file_that_is_named_twice_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet")
    assert refusal(path, tmp_path) == f"`input` must name every file once, but names {path} twice"


def test_urls_are_refused_with_what_to_do() -> None:
    assert refusal("s3://bucket/a.parquet").endswith("but s3://bucket/a.parquet is a URL; copy or mount it first")


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
        (dict(reversed(CORPUS.items())), "b.parquet has its columns in another order than {a}, or other nullability"),
    ],
)
def test_files_whose_schemas_differ_are_refused_and_the_difference_named(
    tmp_path: Path, other: dict[str, Any], message: str
) -> None:
    first = write(tmp_path / "a.parquet")
    write(tmp_path / "b.parquet", other)
    line = refusal(tmp_path)
    assert line.startswith("`input` files must share one schema, but ")
    assert line.endswith(message.format(a=first))


def test_metadata_that_writers_leave_in_the_schema_makes_no_difference(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", pa.table(CORPUS).replace_schema_metadata({"pandas": "something"}))
    write(tmp_path / "b.parquet")
    assert read(tmp_path).rows == 6


def test_files_known_from_an_earlier_run_are_read_again_only_where_size_or_time_changed(tmp_path: Path) -> None:
    paths = [write(tmp_path / name) for name in ("a.parquet", "b.parquet", "c.parquet")]
    known = {file.path: file for file in read(tmp_path).files}
    paths[1].write_bytes(b"X" * paths[1].stat().st_size)
    os.utime(paths[1], ns=(known[str(paths[1])].mtime_ns,) * 2)
    assert read(tmp_path, known=known).files == tuple(known.values())

    os.utime(paths[1])
    with pytest.raises(InputError, match=r"b\.parquet does not end as one"):
        read(tmp_path, known=known)


def test_known_files_are_not_trusted_once_the_first_file_is_another(tmp_path: Path) -> None:
    first = write(tmp_path / "a.parquet")
    write(tmp_path / "b.parquet")
    known = {file.path: file for file in read(tmp_path).files}
    write(first, {"id": ["x"], "question": ["a"], "context": ["b"]})
    with pytest.raises(InputError, match=r"b\.parquet has 'id' as int64"):
        read(tmp_path, known=known)
