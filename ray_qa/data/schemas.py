"""The columns: what an input must have, and what comes out, as fixed Arrow schemas."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import pyarrow as pa

from ray_qa.errors import InputError
from ray_qa.settings import ColumnSettings

SPAN_TYPE = pa.struct(
    [
        ("text", pa.string()),
        ("start", pa.int64()),
        ("end", pa.int64()),
        ("start_score", pa.float64()),
        ("end_score", pa.float64()),
    ]
)
ADDED_FIELDS = (
    pa.field("answer", pa.string()),
    pa.field("span", pa.string()),
    pa.field("start", pa.int64()),
    pa.field("end", pa.int64()),
    pa.field("start_score", pa.float64()),
    pa.field("end_score", pa.float64()),
    pa.field("null_score", pa.float64()),
    pa.field("log_partition", pa.float64()),
    pa.field("confidence", pa.float64()),
    pa.field("status", pa.string()),
    pa.field("reason", pa.string()),
    pa.field("windows", pa.int64()),
)
"""What annotate adds to a row; docs/columns.md says what each means."""
N_BEST_FIELD = pa.field("n_best", pa.list_(SPAN_TYPE))
MENTIONS_FIELD = pa.field("mentions", pa.list_(pa.struct([*SPAN_TYPE, ("confidence", pa.float64())])))


QUESTION_FIELDS = (pa.field("question_id", pa.string()), pa.field("question", pa.string()))
"""What is added too where every context is asked a set of questions."""


def added_fields(columns: ColumnSettings) -> list[pa.Field]:
    """The fields that are added, under their prefixed names."""
    fields = answer_fields(columns)
    if columns.wide:
        fields = [pa.field(question, pa.struct(fields)) for question in columns.questions]
    elif columns.questions:
        fields = [*QUESTION_FIELDS, *fields]
    return [field.with_name(columns.prefix + field.name) for field in fields]


def answer_fields(columns: ColumnSettings) -> list[pa.Field]:
    """The fields of an answer, without prefix."""
    fields = [*ADDED_FIELDS]
    fields += [N_BEST_FIELD] if columns.n_best > 1 else []
    fields += [MENTIONS_FIELD] if columns.answers_per_row > 1 else []
    return fields


def kept_columns(schema: pa.Schema, keep: Sequence[str]) -> list[str]:
    """The input columns to carry over, in the input's order."""
    return [name for name in schema.names if not keep or name in keep]


def output_schema(schema: pa.Schema, columns: ColumnSettings) -> pa.Schema:
    """The schema of every part, whatever the rows hold."""
    kept = [schema.field(name) for name in kept_columns(schema, columns.keep)]
    return pa.schema([*kept, *added_fields(columns)])


def check_columns(schema: pa.Schema, columns: ColumnSettings) -> None:
    """Check that the input has the columns that are asked for, with text in them, and none that bears an added name.

    Raises:
        InputError: with every problem found.
    """
    there = ", ".join(schema.names) or "no columns"
    problems = []
    settings = {columns.question: "question_column", columns.context: "context_column"}
    for setting, column in ((settings[column], column) for column in columns.read):
        if schema.names.count(column) != 1:
            problems.append(f"`{setting}` must name one column of the input, but is {column!r}; there are: {there}")
        elif not is_text(schema.field(column).type):
            problems.append(f"`{setting}` must name a text column, but {column!r} is {schema.field(column).type}")
    problems += [
        f"`keep` must name columns of the input, but has {name!r}; there are: {there}"
        for name in columns.keep
        if name not in schema.names
    ]
    kept = kept_columns(schema, columns.keep)
    if clashes := [field.name for field in added_fields(columns) if field.name in kept]:
        problems.append(
            f"the input must have no column that annotate adds, but has {', '.join(map(repr, clashes))}; "
            "rename ours with --prefix, or leave the input's out with --keep"
        )
    twice = {name for name in kept if kept.count(name) > 1}
    problems += [f"the input must name its columns apart, but has {name!r} twice" for name in sorted(twice)]
    if problems:
        raise InputError(*problems)


def schema_as_text(schema: pa.Schema) -> str:
    """A schema as base64 of its Arrow IPC form, for JSON."""
    return base64.b64encode(schema.serialize()).decode()


def schema_from_text(text: str) -> pa.Schema:
    """The schema that :func:`schema_as_text` wrote."""
    return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(text)))


def is_text(kind: pa.DataType) -> bool:
    """Whether a column of this type holds text: plain, large, view or dictionary-encoded strings."""
    if pa.types.is_dictionary(kind):
        return is_text(kind.value_type)
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def is_unicode(text: str) -> bool:
    """Whether a text can be UTF-8: lone surrogates, which stand for undecodable bytes, cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def texts(column: pa.ChunkedArray) -> list[str | None]:
    """A text column as Python strings. Bytes that are not UTF-8 come as lone surrogates, to be told from text."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    try:
        values: list[str | None] = column.to_pylist()
    except UnicodeDecodeError:
        raw = column.cast(pa.large_string()).cast(pa.large_binary()).to_pylist()
        values = [None if value is None else value.decode(errors="surrogateescape") for value in raw]
    return values
