"""Reading the rows of units back from the input files, each row group decoded once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import pyarrow as pa
import pyarrow.parquet as pq

from ray_qa.data.units import Piece, Unit
from ray_qa.errors import InputError, first_line

READ_ROWS = 4_096


def read_units(files: Sequence[str], units: Sequence[Unit], columns: Sequence[str]) -> Iterator[pa.Table]:
    """Yield the table of each unit, in order.

    Units that follow each other in a row group are one pass over it, row groups that follow each other in a file are
    read from one open file, and rows that no unit wants are let go of as they come.

    Raises:
        InputError: if a file can no longer be read, or has fewer rows than planned.
    """
    with ExitStack() as open_files:
        file: _OpenFile | None = None
        for unit in units:
            tables = []
            for piece in unit.pieces:
                path = files[piece.file]
                if file is None or file.path != path:
                    open_files.close()
                    file = open_files.enter_context(_OpenFile.open(path, columns))
                tables.append(file.rows(piece))
            yield pa.concat_tables(tables)


class _OpenFile:
    """An input file, its footer parsed once, and the pass over the row group that was asked for last."""

    def __init__(self, path: str, file: pq.ParquetFile, columns: Sequence[str]) -> None:
        self.path = path
        self._file = file
        self._columns = list(columns)
        self._row_group = -1
        self._batches: Iterator[pa.RecordBatch] = iter(())
        self._at = 0
        self._left: pa.Table | None = None

    @classmethod
    @contextmanager
    def open(cls, path: str, columns: Sequence[str]) -> Iterator[_OpenFile]:
        try:
            file = pq.ParquetFile(path, memory_map=True)
        except (OSError, pa.ArrowException) as error:
            raise _unreadable(path, error) from error
        with file:
            yield cls(path, file, columns)

    def rows(self, piece: Piece) -> pa.Table:
        if piece.row_group != self._row_group or piece.first_row < self._at:
            self._begin(piece.row_group)
        for _ in self._slices(piece.first_row - self._at):
            pass
        taken = list(self._slices(piece.rows))
        if not taken:
            self._left = self._next_batch() if self._left is None else self._left
            return self._left.slice(0, 0)
        return pa.concat_tables(taken)

    def _begin(self, row_group: int) -> None:
        try:
            self._batches = self._file.iter_batches(READ_ROWS, row_groups=[row_group], columns=self._columns)
        except (OSError, pa.ArrowException) as error:
            raise _unreadable(self.path, error) from error
        self._row_group, self._at, self._left = row_group, 0, None

    def _slices(self, rows: int) -> Iterator[pa.Table]:
        """The next ``rows`` rows, batch by batch."""
        self._at += rows
        while rows > 0:
            if self._left is None or self._left.num_rows == 0:
                self._left = self._next_batch()
            slice_, self._left = self._left.slice(0, rows), self._left.slice(rows)
            rows -= slice_.num_rows
            yield slice_

    def _next_batch(self) -> pa.Table:
        try:
            return pa.Table.from_batches([next(self._batches)])
        except StopIteration:
            raise InputError(
                f"{self.path} must have the rows that were planned, but has fewer: was it replaced?"
            ) from None
        except (OSError, pa.ArrowException) as error:
            raise _unreadable(self.path, error) from error


def _unreadable(path: str, error: Exception) -> InputError:
    return InputError(f"`input` must be readable Parquet files, but {path} gives: {first_line(error)}")
