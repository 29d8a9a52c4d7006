"""The table of one part: what is kept of its rows, and their answers beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

import numpy as np
import pyarrow as pa

from ray_qa.data.schemas import answer_fields, kept_columns, output_schema
from ray_qa.records import Answer, Question
from ray_qa.settings import ColumnSettings

REPEATED_BYTES = 256 * 1024 * 1024
"""About so many bytes of repeated rows to a chunk: Arrow's texts end at 2 GiB."""


def part_table(
    rows: pa.Table,
    answers: Sequence[Answer],
    columns: ColumnSettings,
    metadata: Mapping[bytes, bytes],
    questions: Sequence[Question] = (),
) -> pa.Table:
    """The table of one part: the kept columns, then ours.

    Args:
        rows: the input's.
        answers: one for each row; or, row by row, one for each of the ``questions``.
        columns: what is kept and added.
        metadata: the table's.
        questions: what every row was asked, if that does not stand in the rows.
    """
    kept = rows.select(kept_columns(rows.schema, columns.keep))
    fields, asked = answer_fields(columns), max(1, len(questions))
    if columns.wide:
        added = [_structs(answers[nth::asked], fields) for nth in range(asked)]
    else:
        added = [_column(answers, field) for field in fields]
        if questions:
            kept = _repeated(kept, asked)
            added = [*_question_columns(questions, rows.num_rows), *added]
    schema = output_schema(rows.schema, columns).with_metadata(dict(metadata))
    return pa.Table.from_arrays([*kept.columns, *added], schema=schema)


def _structs(answers: Sequence[Answer], fields: Sequence[pa.Field]) -> pa.Array:
    return pa.StructArray.from_arrays([_column(answers, field) for field in fields], fields=list(fields))


def _column(answers: Sequence[Answer], field: pa.Field) -> pa.Array:
    return pa.array([_cell(answer, field.name) for answer in answers], type=field.type)


def _cell(answer: Answer, name: str) -> object:
    if name not in ("n_best", "mentions"):
        return getattr(answer, name)
    return None if answer.status == "failed" else [asdict(span) for span in getattr(answer, name)]


def _repeated(rows: pa.Table, times: int) -> pa.Table:
    """Every row so many times, one after the other, in the chunks that texts need."""
    if times == 1 or not rows.num_rows:
        return rows
    step = max(1, REPEATED_BYTES * rows.num_rows // max(1, rows.nbytes))
    which = np.repeat(np.arange(rows.num_rows), times)
    return pa.concat_tables([rows.take(which[first : first + step]) for first in range(0, len(which), step)])


def _question_columns(questions: Sequence[Question], rows: int) -> list[pa.Array]:
    """Ids and texts beside the rows of :func:`_repeated`: the whole set for each of so many rows."""
    return [
        pa.array(np.tile(np.array(values, dtype=object), rows), pa.string())
        for values in ([each.id for each in questions], [each.text for each in questions])
    ]
