"""What the settings lead to: the sources, brought into Parquet where they are none, and the columns of their rows."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from ray_qa.data.answer_columns import are_answers, with_types
from ray_qa.data.conversion import bring_into_parquet, is_brought
from ray_qa.data.data_sets import is_data_set
from ray_qa.data.file_search import FoundFile, FoundFiles, check_apart
from ray_qa.data.parquet_files import Inputs, describe_inputs
from ray_qa.data.row_sources import RowSources, find_rows
from ray_qa.data.schemas import is_text
from ray_qa.data.units import RowGroup
from ray_qa.errors import InputError, OutputError, first_line, listed
from ray_qa.preparation.config import PrepareConfig
from ray_qa.runs.log import notice
from ray_qa.runs.output_folder import ROWS
from ray_qa.runs.submitted_job import check_outlives_job
from ray_qa.settings import ColumnSettings
from ray_qa.storage.remote import Place

_LOG = logging.getLogger(__name__)

APART_FIELDS = (pa.field("set_apart_reason", pa.string()), pa.field("set_apart_from", pa.string()))
"""What is added to the rows that are set apart: why, and where they come from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BroughtSource:
    """A source by its name, its row groups, and the rows of them that are taken: all, as a rule."""

    name: str
    row_groups: tuple[RowGroup, ...]
    chosen: tuple[RowGroup, ...]

    @property
    def rows(self) -> int:
        """How many are taken."""
        return sum(group.rows for group in self.chosen)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedColumns:
    """The columns that are looked at; ``None`` where there is nothing to look at."""

    question: str | None
    context: str
    answers: str | None
    id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedRows:
    """All rows that are to be prepared, and the schema in which they come out."""

    inputs: Inputs
    sources: tuple[BroughtSource, ...]
    schema: pa.Schema
    columns: CheckedColumns
    part: str
    """Which rows of the input these are; nothing if it is all."""


def find_sources(config: PrepareConfig, folder: Place) -> RowSources:
    """Find what the input names.

    Raises:
        InputError: if something is not there, comes twice, or lies in the output or around it.
    """
    patterns = [pattern for pattern in config.input if not is_data_set(pattern)]
    for pattern in patterns:
        check_outlives_job("input", pattern)
    found = find_rows(config.input, "input", texts_in=config.texts_in)
    check_apart(found.paths, patterns, folder, "input")
    return found


def bring_sources(config: PrepareConfig, folder: Place, found: RowSources) -> NamedRows:
    """Bring into Parquet what is none, and see that all rows fit one schema that has the columns.

    Raises:
        InputError: if a source cannot be read, or a column is missing or of another type; with all such sources.
        OutputError, StorageError: if the output cannot be written to.
    """
    others = [source.name for source in found.sources if not is_brought(source, folder / ROWS, config.limit)]
    if others:
        notice(f"`input` is brought into Parquet first, in {folder / ROWS}: {listed(others, 3)}")
    files: list[FoundFile] = []
    file_sources: list[int] = []
    bad: list[str] = []
    for number, source in enumerate(found.sources):
        try:
            brought = bring_into_parquet(source, folder / ROWS, "input", config.limit)
        except InputError as error:
            bad += error.problems
        except OSError as error:
            raise OutputError(f"`output` must be writable, but {folder} gives: {first_line(error)}") from error
        else:
            files += brought.files
            file_sources += [number] * len(brought.files)
            bad += brought.left_out
    text = ColumnSettings(question=config.question_column or "question", context=config.context_column)
    inputs = describe_inputs(FoundFiles(files=tuple(files), passed_over=found.passed_over), text, bad=bad)
    columns = _columns(config, inputs.schema)
    chosen = config.choice.of(inputs.row_groups)
    all_of, chosen_of = (_by_source(groups, file_sources) for groups in (inputs.row_groups, chosen))
    return NamedRows(
        inputs=inputs,
        sources=tuple(
            BroughtSource(name=source.name, row_groups=tuple(all_of[number]), chosen=tuple(chosen_of[number]))
            for number, source in enumerate(found.sources)
        ),
        schema=_output_schema(inputs.schema, columns),
        columns=columns,
        part=config.choice.in_words(inputs.rows, sum(group.rows for group in chosen)),
    )


def _by_source(row_groups: Sequence[RowGroup], file_sources: Sequence[int]) -> defaultdict[int, list[RowGroup]]:
    """Row groups by the numbers of their sources."""
    groups: defaultdict[int, list[RowGroup]] = defaultdict(list)
    for group in row_groups:
        groups[file_sources[group.file]].append(group)
    return groups


def _columns(config: PrepareConfig, schema: pa.Schema) -> CheckedColumns:
    """The columns to look at, all of them of the types that they must have."""
    there = ", ".join(schema.names)
    problems = [f"the input must name its columns apart, but has {name!r} twice" for name in _twice(schema)]
    question, answers, own_id = (
        _named_or_usual(schema, name, usual)
        for name, usual in (
            (config.question_column, "question"),
            (config.answers_column, "answers"),
            (config.id_column, "id"),
        )
    )
    if answers and config.answers_column is None and answers in schema.names:
        kind = schema.field(answers).type
        if not are_answers(kind):
            _LOG.warning(f"{answers!r} is kept as it is and not checked, as it has no answers and places: {kind}")
            answers = None
    if answers is None and config.context_from == "column" and "answers" not in schema.names:
        notice(f"no gold answers are checked, as there is no column 'answers' (`answers_column`); there are: {there}")
    is_of_rows = answers or question or "answers" in schema.names or config.context_from != "column"
    looked_at = {
        "question_column": question,
        "context_column": config.context_column if answers or not is_of_rows else None,
        "answers_column": answers,
        "id_column": own_id,
    }
    for setting, name in looked_at.items():
        if name is None:
            continue
        if name not in schema.names:
            problems.append(f"`{setting}` must name a column of the input, but is {name!r}; there are: {there}")
        elif wanted := _wanted(setting, schema.field(name).type):
            problems.append(f"`{setting}` must name {wanted}, but {name!r} is {schema.field(name).type}")
    if clashes := [field.name for field in APART_FIELDS if answers and field.name in schema.names]:
        problems.append(f"the input must have no column that prepare adds, but has {listed(map(repr, clashes))}")
    if problems:
        raise InputError(*problems)
    return CheckedColumns(question=question, context=config.context_column, answers=answers, id=own_id)


def _named_or_usual(schema: pa.Schema, name: str | None, usual: str) -> str | None:
    """The column that is named; else that of the usual name, if there is one."""
    return name or (usual if usual in schema.names else None)


def _wanted(setting: str, kind: pa.DataType) -> str | None:
    """What the setting's column must be, unless it is."""
    match setting:
        case "answers_column":
            wanted = "a column of struct{text: list of texts, answer_start: list of numbers} or a list of such pairs"
            return None if are_answers(kind) else wanted
        case "id_column":
            return None if is_text(kind) or pa.types.is_integer(kind) else "a column of texts or integers"
        case _:
            return None if is_text(kind) else "a text column"


def _twice(schema: pa.Schema) -> list[str]:
    return sorted({name for name in schema.names if schema.names.count(name) > 1})


def _output_schema(schema: pa.Schema, columns: CheckedColumns) -> pa.Schema:
    """The input's columns in their types; answers that are all empty get the types of answers."""
    if columns.answers is None:
        return schema
    field = schema.field(columns.answers)
    return schema.set(schema.get_field_index(field.name), field.with_type(with_types(field.type)))
