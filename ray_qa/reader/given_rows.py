"""What a reader is given to read, as rows: records, mappings, or a table of one of the libraries that have such."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from ray_qa.data.frames import Frame, as_table
from ray_qa.data.schemas import is_text, texts
from ray_qa.errors import InputError
from ray_qa.records import Row

GivenRows = Iterable[Row | Mapping[str, Any]] | Frame


def records_of(rows: GivenRows) -> list[Row]:
    """The rows as records; what is no text in them is for the tokenizer to tell.

    Raises:
        InputError: if they are no rows, or a table without question and context.
    """
    if isinstance(rows, Frame):
        table = as_table(rows, "rows")
        pairs = zip(_values(table, "question"), _values(table, "context"), strict=True)
        return [Row(question=question, context=context) for question, context in pairs]
    if not isinstance(rows, Iterable):
        raise InputError(f"rows must be Row records, mappings or a table, but are {type(rows).__name__}: {rows!r:.60}")
    return [
        row
        if isinstance(row, Row)
        else Row(question=_text(row, "question", number), context=_text(row, "context", number))
        for number, row in enumerate(rows)
    ]


def _values(table: pa.Table, name: str) -> list[Any]:
    if table.column_names.count(name) != 1:
        there = ", ".join(table.column_names) or "no columns"
        raise InputError(f"rows must have one column {name!r}, but there are: {there}; use read_table to name others")
    return texts(table[name]) if is_text(table[name].type) else table[name].to_pylist()


def _text(row: Mapping[str, Any], name: str, number: int) -> Any:
    if not isinstance(row, Mapping):
        raise InputError(
            f"rows must be Row records, or mappings with question and context, but row {number} is {row!r:.60}"
        )
    value = row.get(name)
    return None if isinstance(value, float) and math.isnan(value) else value
