"""Writing Parquet files of any length from rows that come table by table."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ray_qa.storage import places
from ray_qa.storage.remote import Place

FILE_BYTES, GROUP_BYTES, MOST_ROWS = 512 * 1024 * 1024, 16 * 1024 * 1024, 65_536
"""About so many bytes, as Arrow has them, to a file and to a row group, and at most so many rows to that."""


class GroupWriter:
    """A Parquet file that is written in row groups of some size."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._writer = pq.ParquetWriter(path, schema, compression="zstd")
        self._waiting: list[pa.Table] = []

    def add(self, table: pa.Table) -> None:
        """Take in the next rows."""
        self._waiting.append(table)
        if sum(each.nbytes for each in self._waiting) >= GROUP_BYTES:
            self._write()

    def __enter__(self) -> GroupWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._write()
        self._writer.close()

    def _write(self) -> None:
        if self._waiting:
            self._writer.write_table(pa.concat_tables(self._waiting), row_group_size=MOST_ROWS)
        self._waiting = []


class FileSeries:
    """Numbered Parquet files of one schema, one after the other; each is published whole when the next one begins.

    Args:
        place_of: where the file of a number is to lie.
        schema: that of all tables.
        first: the number of the first file.
        file_bytes: a file that has so many bytes, as Arrow has them, is ended.
    """

    def __init__(self, place_of: Callable[[int], Place], schema: pa.Schema, first: int, file_bytes: int) -> None:
        self._place_of, self._schema, self._file_bytes = place_of, schema, file_bytes
        self._first = self._next = first
        self._open = ExitStack()
        self._file: GroupWriter | None = None
        self._size = 0

    @property
    def files(self) -> int:
        """How many files there are by now."""
        return self._next - self._first

    def add(self, table: pa.Table) -> None:
        """Take in the next rows; without any there is a file all the same."""
        if self._file is None:
            draft = self._open.enter_context(places.draft_for(self._place_of(self._next)))
            self._file = self._open.enter_context(GroupWriter(draft, self._schema))
            self._next, self._size = self._next + 1, 0
        self._file.add(table)
        self._size += table.nbytes
        if self._size >= self._file_bytes:
            self._open.close()
            self._file = None

    def __enter__(self) -> FileSeries:
        return self

    def __exit__(self, *raised: object) -> None:
        self._open.__exit__(*raised)  # type: ignore[arg-type]  # what is raised is handed on: a draft is not published then
