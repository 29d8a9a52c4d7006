"""One source after the other: its answers are surveyed, then its rows are checked and written."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pyarrow as pa

from ray_qa.data.answer_columns import row_answers
from ray_qa.data.offset_units import IN_WORDS
from ray_qa.data.parquet_writing import FILE_BYTES, FileSeries
from ray_qa.data.parts import part_path
from ray_qa.data.row_groups import read_units
from ray_qa.data.schemas import is_text, texts
from ray_qa.data.units import Unit, plan_units
from ray_qa.preparation.checked_tables import check_table
from ray_qa.preparation.counts import Counts
from ray_qa.preparation.named import APART_FIELDS, BroughtSource, NamedRows
from ray_qa.preparation.records import SET_APART, Files, SourceRecord, apart_path
from ray_qa.preparation.survey import OffsetSurvey, OffsetTally
from ray_qa.storage import places
from ray_qa.storage.remote import Place

ROWS_AT_ONCE, BYTES_AT_ONCE = 2_048, 16 * 1024 * 1024
"""Most rows, and about so many bytes of text, that are checked at once."""


def survey_source(source: BroughtSource, rows: NamedRows) -> OffsetSurvey:
    """Find out what the places of a source's answers are counted in.

    Raises:
        InputError: if it cannot be read.
    """
    columns = rows.columns
    if columns.answers is None:
        return OffsetSurvey()
    schema = pa.schema([rows.schema.field(columns.context), rows.schema.field(columns.answers)])
    tally = OffsetTally()
    for table in read_units(rows.inputs.sources, _units(source), schema):
        for context, answers in zip(texts(table[columns.context]), row_answers(table[columns.answers]), strict=True):
            tally.add(context, answers)
    return tally.survey()


def survey_in_words(source: str, survey: OffsetSurvey) -> str:
    """What is said of a source whose places are converted."""
    return (
        f"`input`: offsets of {source} are {IN_WORDS[survey.unit]} ({survey.right:,} of {survey.telling:,} answers "
        "that can tell); they are converted"
    )


def write_source(
    folder: Place,
    source: BroughtSource,
    rows: NamedRows,
    offsets: OffsetSurvey,
    first_part: int,
    first_apart: int,
    done: Callable[[int], None],
) -> SourceRecord:
    """Write the rows of a source into parts, in order, and those that are set apart into files of their own.

    Args:
        folder: the output.
        source: where the rows come from.
        rows: what it is one of.
        offsets: what its answers' places are counted in.
        first_part: the number of its first part; it has one at least, if any of its rows are taken.
        first_apart: the number of its first file of rows that are set apart.
        done: told how many rows have been written, again and again.

    Raises:
        InputError: if it cannot be read.
        OSError, StorageError: if the output cannot be written to.
    """
    apart_schema = pa.schema([*rows.schema, *APART_FIELDS])
    counts, example = Counts(), ""
    places.make_folder(folder / SET_APART)
    with (
        FileSeries(lambda number: part_path(folder, number), rows.schema, first_part, FILE_BYTES) as parts,
        FileSeries(lambda number: apart_path(folder, number), apart_schema, first_apart, FILE_BYTES) as apart,
    ):
        if source.rows:
            parts.add(rows.schema.empty_table())
        units, starts = _units(source), _starts(source)
        for unit, table in zip(units, read_units(rows.inputs.sources, units, rows.schema), strict=True):
            numbers = [starts[piece.file, piece.row_group] + row for piece in unit.pieces for row in piece.numbers]
            checked = check_table(table, rows.columns, offsets.unit, source.name, numbers)
            if checked.kept.num_rows:
                parts.add(checked.kept)
            if checked.apart.num_rows:
                apart.add(checked.apart)
                example = example or _example(checked.apart, rows.columns.id)
            counts += checked.counts
            done(table.num_rows)
    return SourceRecord(
        source=source.name,
        counts=counts,
        offsets=offsets,
        parts=Files(first=first_part, count=parts.files),
        apart=Files(first=first_apart, count=apart.files),
        example=example,
    )


def _example(apart: pa.Table, id_column: str | None) -> str:
    """The first of the rows that are set apart, in words."""
    reason, where = (apart[field.name][0].as_py() for field in APART_FIELDS)
    if id_column is None:
        return f"{where}: {reason}"
    own_id = apart[id_column].slice(0, 1)
    (shown,) = texts(own_id) if is_text(own_id.type) else own_id.to_pylist()
    return f"{where} (id {shown!r:.60}): {reason}"


def _units(source: BroughtSource) -> list[Unit]:
    return plan_units(source.chosen, ROWS_AT_ONCE, BYTES_AT_ONCE)


def _starts(source: BroughtSource) -> dict[tuple[int, int], int]:
    """How many rows of the source come before each of its row groups."""
    ends = itertools.accumulate(group.rows for group in source.row_groups)
    return {(group.file, group.row_group): end - group.rows for group, end in zip(source.row_groups, ends, strict=True)}
