"""Columns that the names of folders state, ``year=2023/lang=de/`` as Hive has it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import pyarrow as pa

PartitionValue = str | int | None
INTEGER = re.compile(r"-?[0-9]+")
Stated = Sequence[tuple[str, str | None]]
"""Names and values as a path has them."""


def partition_schema(files: Iterable[Stated]) -> pa.Schema:
    """The columns that any of the files' folders state, in the order they first come.

    Integers where all values are, as pyarrow has it (int32, or int64 where that is too narrow), else text.
    """
    values: dict[str, set[str | None]] = {}
    for stated in files:
        for name, value in stated:
            values.setdefault(name, set()).add(value)
    return pa.schema([pa.field(name, _type_of(found - {None})) for name, found in values.items()])


def typed_partitions(stated: Stated, schema: pa.Schema) -> tuple[tuple[str, PartitionValue], ...]:
    """A file's values of all columns of :func:`partition_schema`; null where its path does not state one."""
    values = dict(stated)
    return tuple(
        (field.name, value if value is None or pa.types.is_string(field.type) else int(value))
        for field in schema
        for value in [values.get(field.name)]
    )


def _type_of(values: Iterable[str | None]) -> pa.DataType:
    texts = [value for value in values if value is not None]
    if not texts or not all(INTEGER.fullmatch(text) for text in texts):
        return pa.string()
    numbers = [int(text) for text in texts]
    for width in (pa.int32(), pa.int64()):
        if -(2 ** (width.bit_width - 1)) <= min(numbers) and max(numbers) < 2 ** (width.bit_width - 1):
            return width
    return pa.string()
