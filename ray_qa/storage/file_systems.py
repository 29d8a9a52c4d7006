"""Distributed file systems that pyarrow knows and obstore does not, such as HDFS: read from, never written to."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

import pyarrow as pa

from ray_qa.errors import StorageError, first_line
from ray_qa.storage.listing import Entry, Found
from ray_qa.storage.remote import Remote

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo, FileSystem


def open_input(place: Remote) -> pa.NativeFile:
    """A file, open for reading anywhere in it.

    Raises:
        FileNotFoundError: if there is none.
        StorageError: if the file system cannot be reached, or lets us not in.
    """
    with _explained(place, "read"):
        return _file_system(place.scheme, place.bucket).open_input_file(_path(place))


def look_for(place: Remote) -> Found | None:
    """The file of exactly this name, if there is one.

    Raises:
        StorageError: as :func:`open_input`.
    """
    with _explained(place, "look for"):
        (info,) = _file_system(place.scheme, place.bucket).get_file_info([_path(place)])
    return _found(place, info) if info.is_file else None


def list_below(place: Remote, *, after: str = "") -> Iterator[Found]:
    """All files below a place, in the order of their paths; see :func:`ray_qa.storage.objects.list_below`.

    Raises:
        StorageError: as :func:`open_input`.
    """
    first = (place / after).key if after else ""
    below = {_below(place, info): info for info in _infos(place, recursive=True) if info.is_file}
    return (_found(each, below[each]) for each in sorted(below, key=lambda each: each.key) if each.key > first)


def entries_in(folder: Remote) -> list[Entry]:
    """What lies directly in a folder, in the order of names.

    Raises:
        StorageError: as :func:`open_input`.
    """
    entries = [Entry(name=info.base_name, is_file=info.is_file) for info in _infos(folder, recursive=False)]
    return sorted(entries, key=lambda entry: entry.name)


def _infos(folder: Remote, *, recursive: bool) -> list[FileInfo]:
    from pyarrow.fs import FileSelector

    with _explained(folder, "list"):
        selector = FileSelector(_path(folder), allow_not_found=True, recursive=recursive)
        try:
            infos: list[FileInfo] = _file_system(folder.scheme, folder.bucket).get_file_info(selector)
        except NotADirectoryError:
            return []
    return infos


@cache
def _file_system(scheme: str, authority: str) -> FileSystem:
    """What a URL leads to, for this process; whose name is shown there is for the file system to know (Kerberos)."""
    from pyarrow.fs import FileSystem

    return FileSystem.from_uri(f"{scheme}://{authority}/")[0]


def _path(place: Remote) -> str:
    return f"/{place.key}"


def _below(folder: Remote, info: FileInfo) -> Remote:
    name: str = info.path.lstrip("/").removeprefix(f"{folder.key}/")
    return folder / name


def _found(place: Remote, info: FileInfo) -> Found:
    return Found(place=place, size=info.size, version=str(info.mtime_ns), modified=info.mtime)


@contextmanager
def _explained(place: Remote, action: str) -> Iterator[None]:
    """Turn errors into ours, which say what was tried and what may help."""
    try:
        yield
    except FileNotFoundError:
        raise FileNotFoundError(errno.ENOENT, "there is no such file", str(place)) from None
    except NotADirectoryError:
        raise
    except (OSError, pa.ArrowException) as error:
        reason = first_line(error)
        if "libhdfs" in reason or "libjvm" in reason:
            raise StorageError(
                f"{place} must be read by way of libhdfs, which does not load here ({reason}); install Hadoop and Java "
                "on every node, and set HADOOP_HOME or ARROW_LIBHDFS_DIR, JAVA_HOME, and CLASSPATH to what "
                "`hadoop classpath --glob` prints"
            ) from None
        raise StorageError(
            f"{place} must be there to {action}, but its file system gives: {reason}; "
            "see whether this machine reaches it"
        ) from None
