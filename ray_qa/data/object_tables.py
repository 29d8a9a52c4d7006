"""Rows that are objects of Python as Arrow tables: a column for every key, in the type of its values."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from reprlib import repr as short_repr
from typing import Any

import pyarrow as pa

from ray_qa.data.schemas import is_unicode
from ray_qa.errors import first_line

CHUNK_ROWS, CHUNK_BYTES = 2_048, 8 * 1024 * 1024


class BadRowError(ValueError):
    """What is wrong with a row, and where it stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectRow:
    """An object as its file has it."""

    where: str
    """For people: a line or a row, counted from 1."""
    value: dict[str, Any]
    size: int = 0
    """Bytes it takes in its file, about."""


def tables_of_objects(rows: Iterable[ObjectRow]) -> Iterator[pa.Table]:
    """Some rows after the other as a table; a key that an object has not is null.

    Raises:
        BadRowError: if the values of a key cannot be in one column.
    """
    for some in _chunks(rows):
        names = dict.fromkeys(key for row in some for key in row.value)
        if not names:
            raise BadRowError(f"{some[0].where} has no keys")
        _check_names(some)
        yield pa.table({name: _column(name, some) for name in names})


def _chunks(rows: Iterable[ObjectRow]) -> Iterator[list[ObjectRow]]:
    waiting: list[ObjectRow] = []
    size = 0
    for row in rows:
        waiting.append(row)
        size += row.size
        if len(waiting) >= CHUNK_ROWS or size >= CHUNK_BYTES:
            yield waiting
            waiting, size = [], 0
    if waiting:
        yield waiting


def _check_names(rows: Sequence[ObjectRow]) -> None:
    for row in rows:
        if bad := next((name for name in row.value if not is_unicode(name)), None):
            raise BadRowError(f"{row.where} has a key that is no Unicode text: {short_repr(bad)}")


def _column(name: str, rows: Sequence[ObjectRow]) -> pa.Array:
    values = [row.value.get(name) for row in rows]
    try:
        column = _array(values)
        return pa.array(map(_null_if_empty, values)) if _has_empty_struct(column.type) else column
    except UnicodeEncodeError as error:
        if all(value is None or isinstance(value, str) for value in values):
            return _not_unicode(values)
        raise _bad(name, values, rows, error) from None
    except (pa.ArrowException, OverflowError, TypeError, ValueError) as error:
        raise _bad(name, values, rows, error) from None


def _array(values: Sequence[object]) -> pa.Array:
    column = pa.array(values)
    if _has_fractions(column.type) and any(_is_bool_as_number(value, column.type) for value in values):
        raise pa.ArrowTypeError("Expected number, got bool")
    return column


def _has_fractions(kind: pa.DataType) -> bool:
    inner = [kind.field(number).type for number in range(kind.num_fields)]
    return bool(pa.types.is_floating(kind)) or any(map(_has_fractions, inner))


def _is_bool_as_number(value: object, kind: pa.DataType) -> bool:
    """Whether true would become 1.0, as Arrow lets it beside numbers with a fraction."""
    if pa.types.is_floating(kind):
        return isinstance(value, bool)
    if isinstance(value, list) and pa.types.is_list(kind):
        return any(_is_bool_as_number(inner, kind.value_type) for inner in value)
    if isinstance(value, dict) and pa.types.is_struct(kind):
        return any(_is_bool_as_number(value.get(field.name), field.type) for field in kind)
    return False


def _has_empty_struct(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return not kind.num_fields or any(_has_empty_struct(field.type) for field in kind)
    return pa.types.is_list(kind) and _has_empty_struct(kind.value_type)


def _null_if_empty(value: object) -> object:
    """An object without keys as null, as Parquet cannot have a struct without fields."""
    if isinstance(value, dict):
        return {key: _null_if_empty(inner) for key, inner in value.items()} or None
    return [_null_if_empty(inner) for inner in value] if isinstance(value, list) else value


def _not_unicode(values: Sequence[str | None]) -> pa.Array:
    """Texts with lone surrogates, as Parquet files have them: bytes that are no UTF-8."""
    encoded = [None if value is None else value.encode(errors="surrogatepass") for value in values]
    return pa.array(encoded, pa.binary()).view(pa.string())


def _bad(name: str, values: Sequence[object], rows: Sequence[ObjectRow], error: Exception) -> BadRowError:
    """Find the first row whose value does not go with those before it."""
    low, high = 0, len(values)  # the first `low` values go together, the first `high` do not
    while high - low > 1:
        middle = (low + high) // 2
        if _go_together(values[:middle]):
            low = middle
        else:
            high = middle
    before = next((value for value in itertools.chain(values[:low]) if value is not None), None)
    against = "" if before is None else f", which does not go with {short_repr(before)} before it"
    found = short_repr(values[low])
    return BadRowError(f"{rows[low].where} has {found} in {name!r}{against} ({first_line(error)})")


def _go_together(values: Sequence[object]) -> bool:
    try:
        _array(values)
    except (pa.ArrowException, OverflowError, TypeError, ValueError):
        return False
    return True
