from __future__ import annotations

import gzip
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ray_qa.data import conversion, text_files
from ray_qa.data.conversion import Brought, bring_into_parquet
from ray_qa.data.row_sources import RowSource, find_rows
from ray_qa.errors import InputError


def source_of(*patterns: Path | str) -> RowSource:
    (source,) = find_rows([str(pattern) for pattern in patterns], "input", texts_in="context").sources
    return source


def brought(folder: Path, *patterns: Path | str, most: int | None = None) -> Brought:
    return bring_into_parquet(source_of(*patterns), folder, "input", most)


def rows_of(found: Brought) -> list[dict[str, Any]]:
    return [row for file in found.files for row in pq.read_table(file.path).to_pylist()]


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    (tmp_path / "texts").mkdir()
    return tmp_path / "texts"


def test_the_whole_of_a_file_is_a_context_whatever_its_suffix(tmp_path: Path, texts: Path) -> None:
    (texts / "a.txt").write_bytes("\ufeffKöln\r\nam Rhein\n".encode())
    (texts / "b.md.gz").write_bytes(gzip.compress(b"zipped") + gzip.compress(b" twice"))
    (texts / "c.zst").write_bytes(pa.Codec("zstd").compress(b"packed", asbytes=True))
    (texts / "d").touch()
    (texts / ".hidden").write_text("hidden")
    found = {"a.txt": "Köln\r\nam Rhein\n", "b.md.gz": "zipped twice", "c.zst": "packed", "d": ""}
    wanted = [{"path": str(texts / name), "context": text} for name, text in found.items()]
    assert rows_of(brought(tmp_path / "rows", texts)) == wanted
    assert rows_of(brought(tmp_path / "rows", f"{texts}/*.txt", texts / "d")) == [wanted[0], wanted[3]]
    assert rows_of(brought(tmp_path / "rows", texts, most=2)) == wanted[:2]


def test_many_files_become_few_and_are_brought_once_until_one_changes(
    tmp_path: Path, texts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_files, "FILES_AT_ONCE", 7)
    for number in range(100):
        (texts / f"{number:03d}.txt").write_text(f"text {number}")
    first = brought(tmp_path / "rows", texts)
    assert len(first.files) == 1
    assert [row["context"] for row in rows_of(first)] == [f"text {number}" for number in range(100)]
    with monkeypatch.context() as patch:
        patch.setattr(conversion, "tables_of_texts", None)
        assert brought(tmp_path / "rows", texts) == first
    os.utime(texts / "050.txt", ns=(0, 0))
    assert brought(tmp_path / "rows", texts).files != first.files


def test_folders_state_columns_beside_a_text(tmp_path: Path, texts: Path) -> None:
    for name in ("year=2023/a.txt", "year=2024/context=no/b.txt", "c.txt"):
        (texts / name).parent.mkdir(parents=True, exist_ok=True)
        (texts / name).write_text(name)
    found = rows_of(brought(tmp_path / "rows", texts))
    assert [(row["context"], row["year"]) for row in found] == [
        ("c.txt", None),
        ("year=2023/a.txt", 2023),
        ("year=2024/context=no/b.txt", 2024),
    ]


def test_files_that_are_no_text_are_named_in_a_line_each_and_left_out(
    tmp_path: Path, texts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_files, "MOST_BYTES", 1_000)
    (texts / "a.txt").write_text("good")
    (texts / "b.txt").write_bytes(b"\xef\xbb\xbfline\nK\xf6ln")
    (texts / "c.txt").write_bytes(b"x" * 1_001)
    (texts / "d.gz").write_bytes(gzip.compress(b"x" * 1_001))
    (texts / "e.gz").write_bytes(gzip.compress(bytes(range(100)) * 5)[:-20])
    (texts / "f.gz").write_bytes(b"no archive")
    found = brought(tmp_path / "rows", texts)
    assert [row["context"] for row in rows_of(found)] == ["good"]
    latin, large, bomb, cut, no = found.left_out
    assert (
        latin
        == f"`input` must be texts in UTF-8, but line 2 of {texts}/b.txt is not (invalid start byte); convert it first"
    )
    assert large == f"`input` must be texts of 1,000 bytes at most, but {texts}/c.txt is larger"
    assert bomb == large.replace("c.txt", "d.gz")
    assert cut.startswith(f"`input` must be readable, but {texts}/e.gz gives: ")
    assert no.startswith(f"`input` must be readable, but {texts}/f.gz gives: ")
    assert brought(tmp_path / "rows", texts) == found  # and so it is said again
    with pytest.raises(InputError) as refused:
        brought(tmp_path / "rows", texts / "b.txt", texts / "c.txt")
    assert refused.value.problems == (latin, large)


def test_a_name_that_is_no_text_is_left_out(tmp_path: Path, texts: Path) -> None:
    try:
        (texts / os.fsdecode(b"a\xff.txt")).write_text("a")
    except OSError:
        pytest.skip("this file system takes names in UTF-8 alone")
    (texts / "b.txt").write_text("b")
    found = brought(tmp_path / "rows", texts)
    assert [row["context"] for row in rows_of(found)] == ["b"]
    assert found.left_out == (f"`input` must be files whose names are UTF-8, but '{texts}/a\\udcff.txt' is none",)


def test_a_file_that_is_gone_or_cannot_be_reached_stops_what_is_not_noted(tmp_path: Path, texts: Path) -> None:
    (texts / "a.txt").write_text("a")
    source = source_of(texts)
    (texts / "a.txt").rename(texts / "b.txt")
    with pytest.raises(InputError, match=r"^`input` must be readable, but .*/a\.txt gives: .*No such file"):
        bring_into_parquet(source, tmp_path / "rows", "input")
    (texts / "b.txt").rename(texts / "a.txt")
    assert rows_of(brought(tmp_path / "rows", texts)) == [{"path": str(texts / "a.txt"), "context": "a"}]


def test_a_file_that_two_patterns_lead_to_is_refused(texts: Path) -> None:
    (texts / "a.txt").write_text("a")
    with pytest.raises(InputError, match=r"^`input` must name every file once, but names .*a\.txt twice$"):
        source_of(texts, texts / "a.txt")
    with pytest.raises(InputError, match=r"^`input` must lead to files, but .*/\*\.md leads to nothing$"):
        source_of(f"{texts}/*.md")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(contents=st.lists(st.text(st.characters(codec="utf-8"), max_size=8) | st.binary(max_size=6), max_size=6))
def test_any_bytes_give_their_text_or_a_line(tmp_path: Path, contents: list[str | bytes]) -> None:
    folder = tmp_path / str(len(list(tmp_path.iterdir())))
    folder.mkdir()
    wanted, bad = [], 0
    for number, content in enumerate(contents):
        raw = content.encode() if isinstance(content, str) else content
        (folder / f"{number}.txt").write_bytes(raw)
        try:
            wanted.append(raw.decode().removeprefix("\ufeff"))
        except UnicodeDecodeError:
            bad += 1
    if not wanted:
        with pytest.raises(InputError) as refused:
            brought(folder / ".rows", folder)
        assert len(refused.value.problems) == max(1, bad)
        return
    found = brought(folder / ".rows", folder)
    assert [row["context"] for row in rows_of(found)] == wanted
    assert len(found.left_out) == bad
    assert not any("\n" in line for line in found.left_out)
