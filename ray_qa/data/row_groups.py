"""Reading the rows of units back from the input files, each row group decoded once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from ray_qa.data.units import Unit
from ray_qa.errors import InputError, first_line

READ_ROWS = 4_096


def read_units(files: Sequence[str], units: Sequence[Unit], columns: Sequence[str]) -> Iterator[pa.Table]:
    """Yield the table of each unit, in order; units that follow each other in a row group are one pass over it.

    Raises:
        InputError: if a file can no longer be read, or has fewer rows than planned.
    """
    stream: _RowGroupStream | None = None
    for unit in units:
        tables = []
        for piece in unit.pieces:
            path = files[piece.file]
            if stream is None or not stream.can_serve(path, piece.row_group, piece.first_row):
                stream = _RowGroupStream(path, piece.row_group, columns)
            tables.append(stream.rows(piece.first_row, piece.rows))
        yield pa.concat_tables(tables)


class _RowGroupStream:
    """One pass over a row group, handing out runs of rows in ascending order."""

    def __init__(self, path: str, row_group: int, columns: Sequence[str]) -> None:
        self._path = path
        self._row_group = row_group
        self._at = 0
        self._left: pa.Table | None = None
        try:
            file = pq.ParquetFile(path, memory_map=True)
            self._batches = file.iter_batches(READ_ROWS, row_groups=[row_group], columns=list(columns))
        except (OSError, pa.ArrowException) as error:
            raise self._unreadable(error) from error

    def can_serve(self, path: str, row_group: int, first_row: int) -> bool:
        return (path, row_group) == (self._path, self._row_group) and first_row >= self._at

    def rows(self, first_row: int, rows: int) -> pa.Table:
        self._take(first_row - self._at)
        return self._take(rows)

    def _take(self, rows: int) -> pa.Table:
        taken = []
        wanted = rows
        while wanted > 0 or self._left is None:
            if self._left is None or self._left.num_rows == 0:
                self._left = self._next_batch()
            taken.append(self._left.slice(0, wanted))
            self._left = self._left.slice(wanted)
            wanted -= taken[-1].num_rows
        self._at += rows
        return pa.concat_tables(taken) if taken else self._left.slice(0, 0)

    def _next_batch(self) -> pa.Table:
        try:
            return pa.Table.from_batches([next(self._batches)])
        except StopIteration:
            raise InputError(
                f"{self._path} must have the rows that were planned, but has fewer: was it replaced?"
            ) from None
        except (OSError, pa.ArrowException) as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> InputError:
        return InputError(f"`input` must be readable Parquet files, but {self._path} gives: {first_line(error)}")
