"""CSV as RFC 4180 has it: a line of names, then one of each row, nested values as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence, Set

import pyarrow as pa

from ray_qa.errors import InputError
from ray_qa.outgoing.json_values import json_values
from ray_qa.runs.annotated_rows import Source, batches
from ray_qa.runs.live_line import counted
from ray_qa.runs.log import notice

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a text begins that spreadsheets take for a formula."""


def csv_lines(source: Source, columns: Sequence[str]) -> Iterator[str]:
    """The lines, which end in CRLF; null is nothing at all, an empty text is ``""``.

    Texts stay as they are. Where some begin as formulas do, that is said at the end. The answers to a question of a
    wide output are columns of their own, ``id.answer``, ``id.span``, …

    Raises:
        InputError: if that gives a column the name of another.
    """
    wide = {source.ours(question.id) for question in source.output.wide}
    names = [name for column in columns for name in _names(source.schema.field(column), wide)]
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputError(f"`columns` must have names of their own with `to` csv, but {twice[0]!r} comes twice")
    return _lines(source, columns, names, wide)


def cell(value: object) -> str:
    """A value between two commas."""
    if value is None:
        return ""
    if isinstance(value, str):
        return quoted(value)
    if type(value) in (int, float):
        return repr(value)
    return quoted(json.dumps(value, ensure_ascii=False, allow_nan=False))


def quoted(text: str) -> str:
    """A text in quotes where it would not stand for itself without."""
    # Plain searches: one regular expression for all of this takes several times as long over a context.
    stands = '"' not in text and "," not in text and "\n" not in text and "\r" not in text
    if stands and text and text == text.strip():
        return text
    return '"' + text.replace('"', '""') + '"'


def _lines(source: Source, columns: Sequence[str], names: Sequence[str], wide: Set[str]) -> Iterator[str]:
    formulas = 0
    yield _line(map(quoted, names))
    for batch in batches(source, columns):
        arrays = [array for column in columns for array in _arrays(batch, column, wide)]
        values = [json_values(array, name) for array, name in zip(arrays, names, strict=True)]
        formulas += sum(isinstance(value, str) and value.startswith(FORMULA) for column in values for value in column)
        for row in zip(*values, strict=True):
            line = _line(map(cell, row))
            yield line if line != "\r\n" else '""\r\n'
    if formulas:
        notice(
            f"{counted(formulas, 'text')} begin with = + - or @, as formulas do in spreadsheets; they are left as they "
            "are: import them as text",
        )


def _names(field: pa.Field, wide: Set[str]) -> list[str]:
    return [f"{field.name}.{each.name}" for each in field.type] if field.name in wide else [field.name]


def _arrays(batch: pa.RecordBatch, column: str, wide: Set[str]) -> list[pa.Array]:
    array = batch.column(column)
    return array.flatten() if column in wide else [array]


def _line(cells: Iterator[str]) -> str:
    return ",".join(cells) + "\r\n"
