"""Where rows with gold answers come from: Parquet, SQuAD JSON, JSONL, and the data sets of ``datasets``."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from ray_qa.data.data_sets import is_data_set, open_named, open_saved, saved_data_set
from ray_qa.data.example_rows import JsonRow, chunks_of_rows
from ray_qa.data.example_schema import CHUNK_ROWS, Chunk, ExampleColumns, Setting
from ray_qa.data.example_tables import chunks_of_tables
from ray_qa.data.file_kinds import instead_of_parquet
from ray_qa.data.file_search import FoundFile, FoundFiles, find_row_files
from ray_qa.data.json_lines import has_an_object_a_line, read_json_lines
from ray_qa.data.parquet_opening import open_parquet
from ray_qa.data.row_forms import PARQUET, form_of
from ray_qa.data.row_streams import stream_rows
from ray_qa.data.squad_json import read_squad_json
from ray_qa.errors import InputError, first_line

USUAL = (*PARQUET, ".json", ".jsonl")
"""What counts in folders that have any of these."""
SQUAD_COLUMNS = ExampleColumns()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleFile:
    """A file of rows, or a data set."""

    name: str
    """As errors say it."""
    chunks: Iterator[Chunk]


def open_source(source: str, columns: ExampleColumns, setting: Setting) -> Iterator[ExampleFile]:
    """The files of a source, in order, or the data set that it names; each is read as its chunks are asked for.

    Raises:
        InputError: about ``setting``, if it cannot be found or read, or has not the columns.
    """
    if (saved := saved_data_set(source)) is not None:
        rows = open_saved(saved, setting, default="train" if setting == "train" else None)
        yield ExampleFile(name=source, chunks=_chunks_of(rows, columns, setting, str(saved.folder)))
    elif is_data_set(source):
        yield ExampleFile(name=source, chunks=_chunks_of(open_named(source, setting), columns, setting, source))
    else:
        for path in find_row_files([source], setting, USUAL).paths:
            yield ExampleFile(name=path, chunks=_file(path, columns, setting))


def source_files(sources: Sequence[str], setting: Setting) -> FoundFiles:
    """The files among the sources, and those of saved data sets; without what ``datasets`` fetches.

    Raises:
        InputError: if one cannot be found or comes twice.
    """
    saved = [saved_data_set(source) for source in sources]
    plain = [source for source, place in zip(sources, saved, strict=True) if place is None and not is_data_set(source)]
    for source, place in zip(sources, saved, strict=True):
        if place is not None and saved.count(place) > 1:
            raise InputError(f"`{setting}` must name every data set once, but names {source} twice")
    arrow = [path.resolve() for place in saved if place for path in sorted(place.folder.rglob("*.arrow"))]
    found = find_row_files(plain, setting, USUAL)
    return replace(found, files=(*found.files, *(FoundFile(path=str(path)) for path in arrow)))


def _chunks_of(rows: Any, columns: ExampleColumns, setting: Setting, where: str) -> Iterator[Chunk]:
    tables = rows.with_format("arrow").iter(batch_size=CHUNK_ROWS)
    return chunks_of_tables(tables, columns, setting, where)


def _file(path: str, columns: ExampleColumns, setting: Setting) -> Iterator[Chunk]:
    form = form_of(path)
    if form.form == "jsonl" or (form.form == "json" and has_an_object_a_line(path, setting)):
        return chunks_of_rows(_lines(path, setting), columns, setting, path)
    if form.form == "json":
        return chunks_of_rows(_squad_rows(path, setting), SQUAD_COLUMNS, setting, path)
    if form.is_parquet:
        return _parquet(path, columns, setting)
    return chunks_of_tables(stream_rows(path, setting), columns, setting, path)


def _parquet(path: str, columns: ExampleColumns, setting: Setting) -> Iterator[Chunk]:
    wanted = ("id", columns.question, columns.context, columns.answers)
    try:
        with open_parquet(path) as file:
            names = [name for name in wanted if name in file.schema_arrow.names]
            batches = file.iter_batches(CHUNK_ROWS, columns=names)
            # The schema is checked even where there is no row.
            tables = itertools.chain(
                [file.schema_arrow.empty_table()], (pa.Table.from_batches([each]) for each in batches)
            )
            yield from chunks_of_tables(tables, columns, setting, path)
    except (pa.ArrowException, OSError) as error:
        kind = instead_of_parquet(path)
        found = f"is {kind}" if kind else f"gives: {first_line(error)}"
        raise InputError(f"`{setting}` must be readable Parquet files, but {path} {found}") from error


def _squad_rows(path: str, setting: Setting) -> Iterator[JsonRow]:
    for number, row in enumerate(read_squad_json(path, setting), start=1):
        names = {"id": row.id, "question": row.question, "context": row.context, "answers": row.answers}
        yield JsonRow(where=f"row {number:,}", value=names)


def _lines(path: str, setting: Setting) -> Iterator[JsonRow]:
    try:
        for line in read_json_lines(path, setting):
            yield JsonRow(where=f"line {line.number:,}", value=line.value, broken=bool(line.broken))
    except OSError as error:
        raise InputError(f"`{setting}` must be readable JSONL, but {path} gives: {first_line(error)}") from error
