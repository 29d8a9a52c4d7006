"""One schema for files that say the same in different types: what loses nothing is unified, the rest is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pyarrow as pa

from ray_qa.errors import InputError

_FAMILIES: tuple[tuple[Callable[[pa.DataType], bool], ...], ...] = (
    (pa.types.is_string, pa.types.is_large_string),
    (pa.types.is_binary, pa.types.is_large_binary),
    (pa.types.is_signed_integer,),
    (pa.types.is_unsigned_integer,),
    (pa.types.is_floating,),
)
"""Types within one of these differ in width only."""
_LISTS = (pa.types.is_list, pa.types.is_large_list)


def unify(schemas: Iterable[tuple[str, pa.Schema]], wanted: Callable[[str], bool]) -> pa.Schema:
    """The schema that all files can be read in without loss, in the order of the first.

    Columns may differ in order, in nullability, in width (string and large_string, int32 and int64), in whether they
    are dictionary-encoded, and may be of no type where they are all null.

    Args:
        schemas: each file's path and schema; at least one.
        wanted: whether a column, by name, is read; others need not agree.

    Raises:
        InputError: naming the first column that cannot be unified, or that a file lacks.
    """
    (first_path, schema), *others = schemas
    names = [name for name in schema.names if wanted(name)]
    for path, own in others:
        if own.equals(schema):
            continue
        for name in names:
            if name not in own.names:
                raise _different(f"{path} has no column {name!r}, which {first_path} has")
        for name in filter(wanted, own.names):
            if name not in names:
                raise _different(f"{path} has a column {name!r}, which {first_path} has not")
            if own.names.count(name) > 1 or schema.names.count(name) > 1:
                continue  # refused where the columns are checked
            before, now = schema.field(name), own.field(name)
            kind = _wider(before.type, now.type)
            if kind is None:
                raise _different(f"{path} has {name!r} as {now.type}, {first_path} as {before.type}")
            merged = pa.field(name, kind, nullable=before.nullable or now.nullable)
            schema = schema.set(schema.get_field_index(name), merged)
    return schema


def _different(how: str) -> InputError:
    return InputError(
        f"`input` files must share one schema, but {how}; bring the files to one, or leave the column out "
        "(annotate's --keep)"
    )


def _wider(first: pa.DataType, second: pa.DataType) -> pa.DataType | None:
    """The type that holds all values of both; ``None`` where there is none, or values would be changed."""
    if first.equals(second):
        return first
    encoded = pa.types.is_dictionary(first), pa.types.is_dictionary(second)
    if encoded[0] != encoded[1] and not (pa.types.is_null(first) or pa.types.is_null(second)):
        return _wider(*(kind.value_type if pa.types.is_dictionary(kind) else kind for kind in (first, second)))
    return _permissive(first, second) if _loses_nothing(first, second) else None


def _loses_nothing(first: pa.DataType, second: pa.DataType) -> bool:
    if first.equals(second) or pa.types.is_null(first) or pa.types.is_null(second):
        return True
    if any(all(_is_any(kind, family) for kind in (first, second)) for family in _FAMILIES):
        return True
    if _both(pa.types.is_dictionary, first, second) or all(_is_any(kind, _LISTS) for kind in (first, second)):
        return _loses_nothing(first.value_type, second.value_type)
    if _both(pa.types.is_struct, first, second):
        names = [field.name for field in first]
        return sorted(names) == sorted(field.name for field in second) and all(
            _loses_nothing(first.field(name).type, second.field(name).type) for name in names
        )
    return False


def _both(is_kind: Callable[[pa.DataType], bool], first: pa.DataType, second: pa.DataType) -> bool:
    return is_kind(first) and is_kind(second)


def _is_any(kind: pa.DataType, family: Iterable[Callable[[pa.DataType], bool]]) -> bool:
    return any(is_kind(kind) for is_kind in family)


def _permissive(first: pa.DataType, second: pa.DataType) -> pa.DataType:
    schemas = [pa.schema([pa.field("", kind)]) for kind in (first, second)]
    return pa.unify_schemas(schemas, promote_options="permissive").field(0).type
