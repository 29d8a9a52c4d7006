"""Values of Arrow columns as JSON has them: nested ones too, moments as ISO 8601, bytes as base64."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa

from ray_qa.errors import InputError
from ray_qa.runs.log import notice

PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}


def check_values(schema: pa.Schema, columns: Sequence[str]) -> None:
    """Check that JSON can have all values of the columns.

    Raises:
        InputError: naming those it cannot.
    """
    problems = []
    for name in columns:
        try:
            _form(schema.field(name).type)
        except _NotInJsonError as error:
            problems.append(f"`columns` must be such as JSON can have, but {name!r} holds {error}; leave it out")
    if problems:
        raise InputError(*problems)


def json_values(array: pa.Array, name: str) -> list[Any]:
    """The values of a column as ``json.dumps`` takes them.

    Floats that are not finite become null; decimals texts; times with a zone are given in UTC; maps are lists of
    ``{"key": …, "value": …}``. Bytes in a text that are not UTF-8 become U+FFFD, which is said once a column.
    """
    form = _form(array.type)
    try:
        values = _read_as(array, form.read_as).to_pylist()
    except UnicodeDecodeError:
        _say_replaced(name)
        form = _form(array.type, text_as_bytes=True)
        values = _read_as(array, form.read_as).to_pylist()
    convert = form.convert
    return values if convert is None else [None if value is None else convert(value) for value in values]


class _NotInJsonError(Exception):
    """A type that JSON has nothing for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """How values of a type are read, and what is made of each that is not null."""

    read_as: pa.DataType
    convert: Callable[[Any], Any] | None = None


@cache
def _form(kind: pa.DataType, *, text_as_bytes: bool = False) -> _Form:
    types = pa.types
    if isinstance(kind, pa.BaseExtensionType):
        return _form(kind.storage_type, text_as_bytes=text_as_bytes)
    if types.is_dictionary(kind):
        return _form(kind.value_type, text_as_bytes=text_as_bytes)
    if types.is_null(kind) or types.is_boolean(kind) or types.is_integer(kind):
        return _Form(read_as=kind)
    if types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind):
        if not text_as_bytes:
            return _Form(read_as=kind)
        return _Form(read_as=pa.large_binary(), convert=lambda value: value.decode(errors="replace"))
    if types.is_floating(kind):
        return _Form(read_as=kind, convert=lambda value: value if math.isfinite(value) else None)
    if types.is_decimal(kind):
        return _Form(read_as=kind, convert=str)
    if types.is_temporal(kind) and not types.is_interval(kind):
        return _moment(kind)
    if (
        types.is_binary(kind)
        or types.is_large_binary(kind)
        or types.is_fixed_size_binary(kind)
        or types.is_binary_view(kind)
    ):
        return _Form(read_as=kind, convert=lambda value: base64.b64encode(value).decode())
    return _nested(kind, text_as_bytes)


def _moment(kind: pa.DataType) -> _Form:
    """Read as integers, which have no limits such as Python's year 9999 and microseconds."""
    types = pa.types
    whole = pa.int32() if types.is_time32(kind) or types.is_date32(kind) else pa.int64()
    if types.is_date(kind):
        days = "D" if types.is_date32(kind) else "ms"
        return _Form(read_as=whole, convert=lambda value: _since_1970(value, days).partition("T")[0])
    unit = kind.unit
    if types.is_time(kind):
        return _Form(read_as=whole, convert=lambda value: _since_1970(value, unit).partition("T")[2])
    if types.is_duration(kind):
        return _Form(read_as=whole, convert=lambda value: f"{'-' * (value < 0)}PT{_decimal(abs(value), unit)}S")
    zone = "" if kind.tz is None else "Z"
    return _Form(read_as=whole, convert=lambda value: _since_1970(value, unit) + zone)


def _since_1970(value: int, unit: Any) -> str:
    return str(np.datetime64(value, unit))


def _decimal(value: int, unit: str) -> str:
    seconds, rest = divmod(value, PER_SECOND[unit])
    digits = len(str(PER_SECOND[unit])) - 1
    return f"{seconds}.{rest:0{digits}d}" if rest else str(seconds)


def _nested(kind: pa.DataType, text_as_bytes: bool) -> _Form:
    types = pa.types
    if types.is_struct(kind):
        forms = {field.name: _form(field.type, text_as_bytes=text_as_bytes) for field in kind}
        read_as = pa.struct([(name, form.read_as) for name, form in forms.items()])
        return _Form(
            read_as=read_as,
            convert=lambda value: {name: _converted(value[name], form) for name, form in forms.items()},
        )
    if types.is_map(kind):
        key, item = (_form(each, text_as_bytes=text_as_bytes) for each in (kind.key_type, kind.item_type))
        return _Form(
            read_as=pa.map_(key.read_as, item.read_as),
            convert=lambda pairs: [{"key": _converted(k, key), "value": _converted(v, item)} for k, v in pairs],
        )
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        each = _form(kind.value_type, text_as_bytes=text_as_bytes)
        return _Form(read_as=_list_of(kind, each.read_as), convert=lambda value: [_converted(v, each) for v in value])
    raise _NotInJsonError(kind)


def _list_of(kind: pa.DataType, of: pa.DataType) -> pa.DataType:
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(of, kind.list_size)
    return pa.large_list(of) if pa.types.is_large_list(kind) else pa.list_(of)


def _converted(value: Any, form: _Form) -> Any:
    return value if value is None or form.convert is None else form.convert(value)


def _read_as(array: pa.Array, kind: pa.DataType) -> pa.Array:
    if isinstance(array.type, pa.BaseExtensionType):
        array = array.storage
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    return array if array.type.equals(kind) else array.cast(kind)


@cache
def _say_replaced(name: str) -> None:
    notice(f"{name!r} holds bytes that are not UTF-8; they are replaced by U+FFFD")
