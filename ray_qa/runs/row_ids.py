"""The ids of rows, seen to be there in every row and only once, in 8 bytes of memory a row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from reprlib import repr as short_repr

import numpy as np
import pyarrow as pa

from ray_qa.data.schemas import is_text
from ray_qa.errors import InputError
from ray_qa.runs.annotated_rows import Source, batches


def ids_of(batch: pa.RecordBatch, column: str) -> list[str]:
    """The ids of a batch as texts: integers become strings."""
    return [str(value) for value in batch.column(column).to_pylist()]


def check_ids(source: Source, column: str) -> None:
    """Check that a column can tell all rows apart, by one pass over it, and a second where two ids may be equal.

    Raises:
        InputError: if there is no such column, it is neither text nor integers, or an id is null or comes twice.
    """
    source.check_column("id_column", column)
    kind = source.schema.field(column).type
    if not is_text(kind) and not pa.types.is_integer(kind):
        raise InputError(f"`id_column` must hold texts or integers, but {column!r} is {kind}")
    hashes = np.concatenate([np.array(piece, dtype=np.int64) for piece in _hashes(source, column)])
    values, times = np.unique(hashes, return_counts=True)
    if suspects := set(values[times > 1].tolist()):
        _check_suspects(source, column, suspects)


def _hashes(source: Source, column: str) -> Iterator[list[int]]:
    row = 0
    for batch in batches(source, [column]):
        nulls = batch.column(column).is_null().to_pylist()
        if True in nulls:
            where = f"{column!r} has none in row {row + nulls.index(True) + 1:,}"
            raise InputError(f"`id_column` must have an id in every row, but {where}")
        row += batch.num_rows
        yield list(map(hash, ids_of(batch, column)))


def _check_suspects(source: Source, column: str, suspects: Iterable[int]) -> None:
    seen: set[str] = set()
    for batch in batches(source, [column]):
        for row_id in ids_of(batch, column):
            if hash(row_id) not in suspects:
                continue
            if row_id in seen:
                found = f"{short_repr(row_id)}{source.said_of_pair(row_id)}"
                raise InputError(f"`id_column` must have every id once, but {column!r} repeats {found}")
            seen.add(row_id)
