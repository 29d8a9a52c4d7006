"""Rows with gold answers from Arrow tables of many kinds, brought into one form without a Python object a row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from reprlib import repr as short_repr

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ray_qa.data.answer_columns import are_answers, as_array, lengths, list_of, texts_and_places
from ray_qa.data.example_schema import ANSWERS, SCHEMA, Chunk, ExampleColumns, Malformed, MalformedRow, Setting
from ray_qa.data.schemas import is_text
from ray_qa.errors import InputError, first_line, listed

LARGEST = 2**63 - 1


def chunks_of_tables(
    tables: Iterable[pa.Table], columns: ExampleColumns, setting: Setting, where: str
) -> Iterator[Chunk]:
    """Arrow tables brought into ``SCHEMA``.

    ``answers`` may be a struct of two lists or a list of structs; places may be integers or, as pandas has them where
    some are missing, floating-point numbers.

    Raises:
        InputError: about ``setting``, if a column is not there or of another type.
    """
    first_row = 0
    for table in tables:
        _check_columns(table.schema, columns, setting, where)
        try:
            chunk = _chunk(table, columns, first_row)
        except pa.ArrowException as error:
            raise InputError(
                f"`{setting}` must have texts and their places, but {where} gives: {first_line(error)}"
            ) from error
        first_row += table.num_rows
        if table.num_rows:
            yield chunk


def _chunk(table: pa.Table, columns: ExampleColumns, first_row: int) -> Chunk:
    numbers = pa.array([f"row {first_row + nth}" for nth in range(table.num_rows)], pa.string())
    ids = pc.coalesce(as_array(table["id"]).cast(pa.string()), numbers) if "id" in table.column_names else numbers
    question, context = (_texts(as_array(table[name])) for name in (columns.question, columns.context))
    answers = _answers(as_array(table[columns.answers]))
    malformed = pc.coalesce(
        _reason(question.bad, "question_not_unicode"),
        _reason(context.bad, "context_not_unicode"),
        _reason(answers.bad, "answers_malformed"),
    )
    rows = pa.Table.from_arrays([ids, question.values, context.values, answers.values, malformed], schema=SCHEMA)
    rows.validate(full=True)
    return Chunk(rows=rows, first_malformed=_first_malformed(table, malformed, columns, first_row))


def _first_malformed(
    table: pa.Table, malformed: pa.Array, columns: ExampleColumns, first_row: int
) -> MalformedRow | None:
    at = pc.index(malformed.is_valid(), True).as_py()
    if at < 0:
        return None
    reason: Malformed = malformed[at].as_py()
    name = getattr(columns, reason.partition("_")[0])
    try:
        found = short_repr(table[name][at].as_py())
    except UnicodeDecodeError as error:
        found = first_line(error)
    return MalformedRow(where=f"row {first_row + at + 1:,}", reason=reason, found=found)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    """Values, null where they cannot be used, and for each whether that is so."""

    values: pa.Array
    bad: pa.BooleanArray


def _reason(bad: pa.BooleanArray, reason: Malformed) -> pa.Array:
    return pc.if_else(bad, pa.scalar(reason), pa.scalar(None, pa.string()))


def _answers(column: pa.Array) -> _Column:
    texts, starts = texts_and_places(column)
    text_count, start_count = (pc.fill_null(pc.list_value_length(lists), -1) for lists in (texts, starts))
    text_lists, start_lists = _lists(texts, _answer_texts), _lists(starts, _places)
    bad = pc.or_(pc.not_equal(text_count, start_count), pc.or_(text_lists.bad, start_lists.bad))
    null = pc.or_(bad, pc.and_(texts.is_null(), starts.is_null()))
    answers = pa.StructArray.from_arrays([text_lists.values, start_lists.values], fields=list(ANSWERS), mask=null)
    return _Column(values=answers, bad=bad)


def _lists(lists: pa.ListArray, clean: Callable[[pa.Array], _Column]) -> _Column:
    """Lists of clean values; a list is bad where one of its values is."""
    flat = clean(pc.list_flatten(lists))
    owner = np.repeat(np.arange(len(lists)), lengths(lists))
    bad = np.zeros(len(lists), dtype=bool)
    bad[owner[flat.bad.to_numpy(zero_copy_only=False)]] = True
    return _Column(values=list_of(lists, flat.values), bad=pa.array(bad))


def _texts(column: pa.Array) -> _Column:
    values = column.cast(pa.string())
    try:
        values.validate(full=True)
    except pa.ArrowInvalid:
        raw = values.cast(pa.binary())
        bad = pa.array([not _is_utf8(value) for value in raw.to_pylist()])
        return _Column(values=pc.if_else(bad, pa.scalar(None, pa.binary()), raw).cast(pa.string()), bad=bad)
    return _Column(values=values, bad=pa.repeat(False, len(values)))


def _answer_texts(column: pa.Array) -> _Column:
    texts = _texts(column)
    return _Column(values=texts.values, bad=pc.or_(texts.bad, texts.values.is_null()))


def _is_utf8(value: bytes | None) -> bool:
    try:
        (value or b"").decode()
    except UnicodeDecodeError:
        return False
    return True


def _places(column: pa.Array) -> _Column:
    """Places as integers; a place that is not known is null."""
    bad = pa.repeat(False, len(column))
    if pa.types.is_floating(column.type):
        numbers = column.cast(pa.float64())
        numbers = pc.if_else(pc.is_nan(numbers), None, numbers)
        whole = pc.and_(pc.equal(pc.floor(numbers), numbers), pc.less(pc.abs(numbers), 2.0**63))
        bad = pc.fill_null(pc.invert(whole), False)
    elif pa.types.is_uint64(column.type):
        numbers, bad = column, pc.fill_null(pc.greater(column, pa.scalar(LARGEST, pa.uint64())), False)
    else:
        numbers = column
    return _Column(values=pc.if_else(bad, pa.scalar(None, numbers.type), numbers).cast(pa.int64()), bad=bad)


def _check_columns(schema: pa.Schema, columns: ExampleColumns, setting: Setting, where: str) -> None:
    there = listed(schema.names) or "no columns"
    for name in ("id", columns.question, columns.context, columns.answers):
        if schema.names.count(name) != 1 and (name != "id" or name in schema.names):
            option = next((each for each in ("question", "context", "answers") if getattr(columns, each) == name), "")
            hint = f"; name yours with --{option}-column" if option and name not in schema.names else ""
            raise InputError(f"`{setting}` must have one column {name!r}, but {where} has {there}{hint}")
    for name in (columns.question, columns.context):
        if not is_text(schema.field(name).type):
            raise InputError(f"`{setting}` must have text in {name!r}, but {where} has {schema.field(name).type}")
    kind = schema.field(columns.answers).type
    if not are_answers(kind):
        raise InputError(
            f"`{setting}` must have struct{{text: list of texts, answer_start: list of numbers}}, or a list of such "
            f"pairs, in {columns.answers!r}, but {where} has {kind}"
        )
