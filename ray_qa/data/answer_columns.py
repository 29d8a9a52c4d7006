"""Columns of gold answers, ``struct{text: [...], answer_start: [...]}`` or a list of pairs: read, and changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ray_qa.data.schemas import is_text, texts

TEXT, START = "text", "answer_start"


@dataclass(frozen=True, slots=True, kw_only=True)
class RowAnswers:
    """The answers of a row as its column has them, still to be checked; a list is ``None`` where it is null."""

    texts: Sequence[str | None] | None
    """Bytes that are not UTF-8 come as lone surrogates."""
    places: Sequence[float | None] | None

    @property
    def are_none(self) -> bool:
        """Whether nothing at all is said of answers."""
        return self.texts is None and self.places is None


def are_answers(kind: pa.DataType) -> bool:
    """Whether a type is a struct of lists or a list of structs; what is always empty has values of no type."""
    if is_list(kind):
        return pa.types.is_struct(kind.value_type) and all(
            _is_right(kind.value_type, name, lambda value: value) for name in (TEXT, START)
        )
    return pa.types.is_struct(kind) and all(
        _is_right(kind, name, lambda value: value.value_type if is_list(value) else None) for name in (TEXT, START)
    )


def with_types(kind: pa.DataType) -> pa.DataType:
    """The type of :func:`are_answers` that has texts and 64-bit integers where it had values of no type."""
    missing = {TEXT: pa.string(), START: pa.int64()}
    if is_list(kind):
        fields = [
            field.with_type(missing.get(field.name, field.type)) if pa.types.is_null(field.type) else field
            for field in kind.value_type
        ]
        return _list_like(kind, pa.struct(fields))
    return pa.struct(
        [
            field.with_type(_list_like(field.type, missing[field.name]))
            if field.name in missing and pa.types.is_null(field.type.value_type)
            else field
            for field in kind
        ]
    )


def row_answers(column: pa.ChunkedArray) -> list[RowAnswers]:
    """The answers of each row."""
    of_texts, of_places = texts_and_places(as_array(column))
    flat = texts(pa.chunked_array([pc.list_flatten(of_texts)]))
    ends = np.cumsum(lengths(of_texts))
    row_texts = [
        flat[end - count : end] if there else None
        for end, count, there in zip(ends, lengths(of_texts), of_texts.is_valid().to_pylist(), strict=True)
    ]
    return [RowAnswers(texts=own, places=places) for own, places in zip(row_texts, of_places.to_pylist(), strict=True)]


def with_places(column: pa.ChunkedArray, places: Sequence[Sequence[float | None] | None]) -> pa.Array:
    """The same answers at other places, as many for each row as it has.

    Raises:
        pyarrow.ArrowInvalid: if a place is more than its type holds.
    """
    answers = as_array(column)
    flat = pa.array(
        [place for of_row in places for place in of_row or ()],
        pa.float64() if _is_floating(answers.type) else pa.int64(),
    )
    if pa.types.is_struct(answers.type):
        old = answers.field(START)
        lists = list_of(pc.struct_field(answers, START).cast(pa.list_(old.type.value_type)), flat)
        return _with_child(answers, lists.cast(old.type))
    pairs = answers.cast(pa.list_(answers.type.value_type))
    structs = pc.list_flatten(pairs)
    return list_of(pairs, _with_child(structs, flat.cast(structs.type.field(START).type))).cast(answers.type)


def texts_and_places(answers: pa.Array) -> tuple[pa.ListArray, pa.ListArray]:
    """The texts and the places of each row, out of a struct of lists or a list of structs."""
    if pa.types.is_struct(answers.type):
        of_texts, of_places = (pc.struct_field(answers, name) for name in (TEXT, START))
        return tuple(lists.cast(pa.list_(lists.type.value_type)) for lists in (of_texts, of_places))
    pairs = answers.cast(pa.list_(answers.type.value_type))
    flat = pc.list_flatten(pairs)
    return tuple(list_of(pairs, pc.struct_field(flat, name)) for name in (TEXT, START))


def list_of(lists: pa.ListArray, flat: pa.Array) -> pa.ListArray:
    """The same lists with other values."""
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths(lists))]), pa.int32())
    return pa.ListArray.from_arrays(offsets, flat, mask=lists.is_null())


def lengths(lists: pa.ListArray) -> npt.NDArray[np.int32]:
    """How many values each list has; null has none."""
    counts: npt.NDArray[np.int32] = pc.fill_null(pc.list_value_length(lists), 0).to_numpy()
    return counts


def as_array(column: pa.ChunkedArray) -> pa.Array:
    """A column in one piece."""
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _with_child(structs: pa.StructArray, places: pa.Array) -> pa.StructArray:
    fields = list(structs.type)
    children = [places if field.name == START else structs.field(nth) for nth, field in enumerate(fields)]
    return pa.StructArray.from_arrays(children, fields=fields, mask=structs.is_null())


def _is_floating(kind: pa.DataType) -> bool:
    places = kind.value_type.field(START).type if is_list(kind) else kind.field(START).type.value_type
    return bool(pa.types.is_floating(places))


def _is_right(struct: pa.DataType, name: str, value_of: Callable[[pa.DataType], pa.DataType | None]) -> bool:
    if struct.get_field_index(name) < 0:
        return False
    value = value_of(struct.field(name).type)
    if value is None or pa.types.is_null(value):
        return value is not None
    return is_text(value) if name == TEXT else pa.types.is_integer(value) or pa.types.is_floating(value)


def is_list(kind: pa.DataType) -> bool:
    """Whether a type is a list of any kind."""
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _list_like(kind: pa.DataType, value: pa.DataType) -> pa.DataType:
    """A list of other values, of the same kind."""
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(value, kind.list_size)
    return pa.large_list(value) if pa.types.is_large_list(kind) else pa.list_(value)
