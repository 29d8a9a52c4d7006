"""Rows with their answers checked: those that are kept, at places in code points, and those that are set apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from ray_qa.data.answer_columns import row_answers, with_places
from ray_qa.data.offset_units import OffsetUnit
from ray_qa.data.schemas import texts
from ray_qa.errors import InputError, first_line
from ray_qa.preparation.counts import Counts
from ray_qa.preparation.gold_answers import CheckedAnswers, Fault, check_answers
from ray_qa.preparation.named import APART_FIELDS, CheckedColumns


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedTable:
    """Rows with their answers in code points, and those that are set apart, both in order."""

    kept: pa.Table
    apart: pa.Table
    counts: Counts


def check_table(
    table: pa.Table, columns: CheckedColumns, unit: OffsetUnit, source: str, numbers: Sequence[int]
) -> CheckedTable:
    """Check the answers of some rows of a source, whose ``numbers`` there count from 0."""
    if columns.answers is None:
        checked: list[CheckedAnswers | Fault] = [CheckedAnswers(places=None)] * table.num_rows
    else:
        both = zip(texts(table[columns.context]), row_answers(table[columns.answers]), strict=True)
        checked = [check_answers(context, answers, unit) for context, answers in both]
    faults = [(number, each) for number, each in enumerate(checked) if not isinstance(each, CheckedAnswers)]
    good = [each for each in checked if isinstance(each, CheckedAnswers)]
    counts = Counts(
        rows=len(checked),
        kept=len(good),
        set_apart=dict(Counter(fault for _, fault in faults)),
        answers=sum(len(each.places or ()) for each in good),
        converted=sum(each.converted for each in good),
        repaired=sum(each.repaired for each in good),
    )
    kept = table.filter(pa.array([isinstance(each, CheckedAnswers) for each in checked])) if faults else table
    counts += Counts(without_question=_without_question(kept, columns.question))
    if columns.answers is not None and (counts.converted or counts.repaired):
        kept = _with_places(kept, columns.answers, [each.places for each in good], source)
    return CheckedTable(kept=kept, apart=_apart(table, faults, source, numbers), counts=counts)


def _without_question(table: pa.Table, column: str | None) -> int:
    """How many rows have a column for their question, and nothing to ask in it."""
    return 0 if column is None else sum(not (text and text.strip()) for text in texts(table[column]))


def _with_places(table: pa.Table, column: str, places: Sequence[Sequence[int] | None], source: str) -> pa.Table:
    field = table.schema.field(column)
    try:
        answers = with_places(table[column], places)
    except pa.ArrowInvalid as error:
        raise InputError(
            f"`input` must have places of a type that holds them all in {column!r}, but {source} has {field.type}: "
            f"{first_line(error)}"
        ) from error
    return table.set_column(table.schema.get_field_index(column), field, answers)


def _apart(table: pa.Table, faults: Sequence[tuple[int, Fault]], source: str, numbers: Sequence[int]) -> pa.Table:
    apart = table.take(pa.array([number for number, _ in faults], pa.int64()))
    values = (
        [fault for _, fault in faults],
        [f"row {numbers[number] + 1} of {source}" for number, _ in faults],
    )
    for field, column in zip(APART_FIELDS, values, strict=True):
        apart = apart.append_column(field, pa.array(column, field.type))
    return apart
