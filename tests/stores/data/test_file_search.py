"""A bucket is searched as a folder is: the same tree in both leads to the same files."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pyarrow.fs import S3FileSystem

from ray_qa.data.file_search import FoundFiles, check_apart, find_files
from ray_qa.errors import InputError, StorageError
from ray_qa.storage import objects, places
from ray_qa.storage.remote import Remote
from tests.stores.proxy import Proxy
from tests.stores.server import Server

TREE = (
    "a.parquet", "a/b.parquet", "a/c.PQ", "a/notes.txt", "a/_SUCCESS", "a/.hidden.parquet", "a/_temporary/x.parquet",
    "a-b/c.parquet", "b/year=2023/lang=de/part 1.parquet", "b/year=2024/lang=x%20y/part-2.parquet", "b/é.parquet",
)  # fmt: skip
PATTERNS = (
    "a", "a/", "a.parquet", "a/b.parquet", "b", "*.parquet", "*", "a*", "a*/*", "**/*.parquet", "**", "b/year=*",
    "b/*/lang=de/*.parquet", "b/**/part*", "[ab]/*.p*", "b/?.parquet",
    "a-*/*", "a.*", "b/year=2024*", "b/year=20*/*/p*",
)  # fmt: skip


@pytest.fixture
def local(tmp_path: Path, folder: Remote) -> Path:
    """The tree as a folder, and in the bucket too."""
    for name in TREE:
        for root in (tmp_path, folder):
            place: Path | Remote = root / name
            places.make_folder(place.parent)
            places.publish(place, name.encode())
    return tmp_path


@pytest.mark.parametrize("pattern", PATTERNS)
def test_files_are_found_in_the_same_order_with_the_same_columns_of_their_folders(
    local: Path, folder: Remote, pattern: str
) -> None:
    here, there = find_files([f"{local}/{pattern}"], "input"), find_files([f"{folder}/{pattern}"], "input")
    assert below(there, str(folder)) == below(here, str(local))
    assert [file.partitions for file in there.files] == [file.partitions for file in here.files]
    assert all(file.stored is not None and file.stored.size > 0 for file in there.files)


@pytest.mark.parametrize("pattern", ["a", "b"])
def test_what_is_passed_over_is_named(local: Path, folder: Remote, pattern: str) -> None:
    here, there = find_files([f"{local}/{pattern}"], "input"), find_files([f"{folder}/{pattern}"], "input")
    assert [name.removeprefix(str(folder)) for name in there.passed_over] == [
        name.removeprefix(str(local)) for name in here.passed_over
    ]


def test_a_glob_lists_no_more_than_what_begins_as_it_does(proxy: Proxy, folder: Remote) -> None:
    names = [f"{year}/{number:04d}.parquet" for year in (2024, 2025, 2026) for number in range(1_000)]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda name: objects.publish(folder / name, b"x"), names))
    proxy.seen.clear()
    assert len(find_files([f"{folder}/2025*/*.parquet"], "input").files) == 1_000
    assert len(proxy.seen) <= 2  # all would be three pages of a thousand


def below(found: FoundFiles, root: str) -> list[str]:
    assert all(path.startswith(root) for path in found.paths)
    return [path.removeprefix(root) for path in found.paths]


def test_nothing_found_is_told_in_a_line(folder: Remote) -> None:
    with pytest.raises(InputError) as refused:
        find_files([f"{folder}/nothing/*.parquet"], "input")
    assert str(refused.value) == (
        f"`input` must lead to Parquet files (*.parquet, *.pq), but {folder}/nothing/*.parquet leads to nothing"
    )
    with pytest.raises(StorageError, match="must lie in a bucket, but there is none of the name"):
        find_files(["s3://bucket-that-is-not/a"], "input")


def test_the_output_must_lie_apart(folder: Remote) -> None:
    check_apart([f"{folder}/in/a.parquet"], [f"{folder}/in"], folder / "in-between", "input")
    check_apart([f"{folder}/in/a.parquet"], [f"{folder}/*"], folder / "out", "input")
    with pytest.raises(InputError, match="`output` must lie outside the folders that are read"):
        check_apart([f"{folder}/in/a.parquet"], [f"{folder}/in"], folder / "in" / "out", "input")
    with pytest.raises(InputError, match="`input` must lie outside the output"):
        check_apart([f"{folder}/in/a.parquet"], [f"{folder}/in/a.parquet"], folder / "in", "input")


@pytest.mark.parametrize("pattern", ["b", "b/year=*", "b/*/lang=de", "**/*.parquet"])
def test_empty_objects_that_mark_folders_are_as_if_not_there(
    server: Server, local: Path, folder: Remote, pattern: str
) -> None:
    files = S3FileSystem(endpoint_override=server.endpoint, access_key=server.access_key, secret_key=server.secret_key)
    for name in ("b", "b/year=2023", "b/year=2023/lang=de"):
        files.create_dir(f"{folder.bucket}/{folder.key}/{name}")
    here, there = find_files([f"{local}/{pattern}"], "input"), find_files([f"{folder}/{pattern}"], "input")
    assert below(there, str(folder)) == below(here, str(local))
    assert all(entry.name != "b" for entry in places.entries_in(folder / "b"))
