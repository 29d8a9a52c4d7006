"""Reading the rows of units back from the input files, each row group decoded once."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ray_qa.data.dictionaries import as_dictionaries, shared_texts
from ray_qa.data.parquet_opening import open_parquet
from ray_qa.data.partitions import PartitionValue
from ray_qa.data.units import Piece, Unit
from ray_qa.errors import InputError, first_line

READ_ROWS, READ_BYTES = 4_096, 16 * 1024 * 1024
"""Most rows, and about so many bytes, that are decoded at once."""
MANY = 8
"""A run of rows that is at least this part of what was decoded with it keeps that in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file to read rows from, and what the names of its folders add to each."""

    path: str
    partitions: tuple[tuple[str, PartitionValue], ...] = ()


def read_units(sources: Sequence[Source], units: Sequence[Unit], schema: pa.Schema) -> Iterator[pa.Table]:
    """Yield the table of each unit, in order.

    Units that follow each other in a row group are one pass over it, row groups that follow each other in a file are
    read from one open file, and rows that no unit wants are let go of as they come.

    Args:
        sources: the files, by their number in the units' pieces.
        units: what to read.
        schema: the columns to read, in the types that they are to have.

    Raises:
        InputError: if a file can no longer be read, or has fewer rows than planned.
    """
    with ExitStack() as open_files:
        file: _OpenFile | None = None
        for unit in units:
            tables = []
            for of, pieces in itertools.groupby(unit.pieces, key=lambda piece: (piece.file, piece.row_group)):
                source = sources[of[0]]
                if file is None or file.path != source.path:
                    open_files.close()
                    file = open_files.enter_context(_OpenFile.open(source, schema))
                tables.append(file.rows(list(pieces)))
            yield pa.concat_tables(tables)


class _OpenFile:
    """An input file, its footer parsed once, and the pass over the row group that was asked for last."""

    def __init__(self, source: Source, file: pq.ParquetFile, schema: pa.Schema) -> None:
        self.path = source.path
        self._file = file
        self._schema = schema
        self._columns = [name for name in schema.names if name in file.schema_arrow.names]
        self._partitions = dict(source.partitions)
        self._texts = [name for name in self._columns if _is_plain_text(file.schema_arrow.field(name).type)]
        self._shared: tuple[str, ...] = ()
        self._dictionaries = file
        self._row_group = -1
        self._batches: Iterator[pa.RecordBatch] = iter(())
        self._batch: pa.Table | None = None
        self._at = 0

    @classmethod
    @contextmanager
    def open(cls, source: Source, schema: pa.Schema) -> Iterator[_OpenFile]:
        try:
            file = open_parquet(source.path)
        except (OSError, pa.ArrowException) as error:
            raise _unreadable(source.path, error) from error
        with file:
            yield cls(source, file, schema)

    def rows(self, pieces: Sequence[Piece]) -> pa.Table:
        """The rows of pieces of one row group, ascending."""
        if pieces[0].row_group != self._row_group or pieces[0].first_row < self._at:
            self._begin(pieces[0].row_group)
        return self._in_schema(pa.concat_tables(self._picked(pieces)))

    def _in_schema(self, rows: pa.Table) -> pa.Table:
        columns = [self._column(rows, field) for field in self._schema]
        return pa.Table.from_arrays(columns, schema=self._schema)

    def _column(self, rows: pa.Table, field: pa.Field) -> pa.ChunkedArray:
        if field.name in self._columns:
            return rows[field.name].cast(field.type)
        value = pa.scalar(self._partitions.get(field.name), field.type)
        return pa.chunked_array([pa.repeat(value, rows.num_rows)])

    def _begin(self, row_group: int) -> None:
        try:
            rows = self._rows_at_once(row_group)
            self._batches = self._file_for(row_group).iter_batches(rows, row_groups=[row_group], columns=self._columns)
        except (OSError, IndexError, pa.ArrowException) as error:
            raise _unreadable(self.path, error) from error
        self._row_group, self._at, self._batch = row_group, 0, None

    def _file_for(self, row_group: int) -> pq.ParquetFile:
        shared = tuple(shared_texts(self._file, row_group, self._texts))
        if not shared:
            return self._file
        if self._shared != shared:
            self._shared, self._dictionaries = shared, as_dictionaries(self._file, self.path, shared)
        return self._dictionaries

    def _rows_at_once(self, row_group: int) -> int:
        group = self._file.metadata.row_group(row_group)
        chunks = (group.column(number) for number in range(group.num_columns))
        read = (chunk for chunk in chunks if chunk.path_in_schema.partition(".")[0] in self._columns)
        size: int = sum(chunk.total_uncompressed_size for chunk in read)
        rows: int = group.num_rows
        return max(1, min(READ_ROWS, READ_BYTES * rows // max(1, size)))

    def _picked(self, pieces: Sequence[Piece]) -> Iterator[pa.Table]:
        wanted = np.concatenate([np.arange(piece.first_row, piece.first_row + piece.rows) for piece in pieces])
        while len(wanted):
            batch = self._batch_with(int(wanted[0]))
            here, wanted = np.split(wanted, np.searchsorted(wanted, [self._at + batch.num_rows]))
            yield _rows_of(batch, here - self._at)

    def _batch_with(self, row: int) -> pa.Table:
        """The batch that holds a row of the row group; ``_at`` is its first one's number."""
        if self._batch is None:
            self._batch = self._next_batch()
        while row >= self._at + self._batch.num_rows:
            self._at += self._batch.num_rows
            self._batch = self._next_batch()
        return self._batch

    def _next_batch(self) -> pa.Table:
        try:
            return pa.Table.from_batches([next(self._batches)])
        except StopIteration:
            raise InputError(
                f"{self.path} must have the rows that were planned, but has fewer: was it replaced?"
            ) from None
        except (OSError, pa.ArrowException) as error:
            raise _unreadable(self.path, error) from error


def _rows_of(batch: pa.Table, rows: np.ndarray) -> pa.Table:
    """Rows of a batch: as a slice, or copied where they are few, that they do not hold all of it in memory."""
    first, last = int(rows[0]), int(rows[-1])
    is_run = last - first + 1 == len(rows)
    return batch.slice(first, len(rows)) if is_run and MANY * len(rows) >= batch.num_rows else batch.take(rows)


def _is_plain_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _unreadable(path: str, error: Exception) -> InputError:
    return InputError(f"`input` must be readable Parquet files, but {path} gives: {first_line(error)}")
