"""Where rows with gold answers come from: Parquet, SQuAD JSON, JSONL, and the data sets of ``datasets``."""

from __future__ import annotations

import codecs
import itertools
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa

from ray_qa.data.example_rows import JsonRow, chunks_of_rows
from ray_qa.data.example_schema import CHUNK_ROWS, Chunk, ExampleColumns, Setting
from ray_qa.data.example_tables import chunks_of_tables
from ray_qa.data.file_kinds import instead_of_parquet, is_saved_data_set
from ray_qa.data.file_search import PARQUET, FoundFile, FoundFiles, find_files
from ray_qa.data.parquet_opening import open_parquet
from ray_qa.data.squad_json import read_squad_json
from ray_qa.errors import InputError, first_line
from ray_qa.storage.places import open_lines
from ray_qa.storage.remote import place_of

SUFFIXES = (*PARQUET, ".json", ".jsonl")
DATASET_NAME = re.compile(r"([\w.-]+(?:/[\w.-]+)?)(?::([\w.-]+))?")
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
    if (saved := _saved_data_set(source)) is not None:
        yield ExampleFile(name=source, chunks=_saved(saved, columns, setting))
    elif is_data_set(source):
        yield ExampleFile(name=source, chunks=_named(source, columns, setting))
    else:
        for path in find_files([source], setting, suffixes=SUFFIXES).paths:
            yield ExampleFile(name=path, chunks=_file(path, columns, setting))


def source_files(sources: Sequence[str], setting: Setting) -> FoundFiles:
    """The files among the sources, and those of saved data sets; without what ``datasets`` fetches.

    Raises:
        InputError: if one cannot be found or comes twice.
    """
    saved = [_saved_data_set(source) for source in sources]
    plain = [source for source, place in zip(sources, saved, strict=True) if place is None and not is_data_set(source)]
    for source, place in zip(sources, saved, strict=True):
        if place is not None and saved.count(place) > 1:
            raise InputError(f"`{setting}` must name every data set once, but names {source} twice")
    arrow = [path.resolve() for place in saved if place for path in sorted(place.folder.rglob("*.arrow"))]
    found = find_files(plain, setting, suffixes=SUFFIXES)
    return replace(found, files=(*found.files, *(FoundFile(path=str(path)) for path in arrow)))


def is_data_set(source: str) -> bool:
    """Whether a source is the name of a data set, rather than files."""
    return DATASET_NAME.fullmatch(source) is not None and not (
        Path(source).exists() or source.lower().endswith(SUFFIXES) or _saved_data_set(source)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _SavedDataSet:
    """A folder that ``save_to_disk`` wrote, and the split to read of it, if one is named."""

    folder: Path
    split: str | None


def _saved_data_set(source: str) -> _SavedDataSet | None:
    whole = Path(source).expanduser()
    if is_saved_data_set(whole):
        return _SavedDataSet(folder=whole, split=None)
    before, _, split = source.rpartition(":")
    folder = Path(before).expanduser()
    return _SavedDataSet(folder=folder, split=split) if before and is_saved_data_set(folder) else None


def _saved(saved: _SavedDataSet, columns: ExampleColumns, setting: Setting) -> Iterator[Chunk]:
    import datasets

    try:
        rows = datasets.load_from_disk(str(saved.folder), keep_in_memory=False)
    except Exception as error:  # datasets raises what its files provoke
        raise InputError(
            f"`{setting}` must be a data set that can be read, but {saved.folder} gives: {first_line(error)}"
        ) from error
    if isinstance(rows, datasets.DatasetDict):
        splits = ", ".join(sorted(rows))
        if saved.split is None and setting != "train":
            raise InputError(f"`{setting}` must name a split, {saved.folder}:SPLIT, one of {splits}, but names none")
        if (saved.split or "train") not in rows:
            raise InputError(
                f"`{setting}` must name a split of {saved.folder} ({splits}), but it has no {saved.split or 'train'!r}"
            )
        rows = rows[saved.split or "train"]
    yield from _chunks_of(rows, columns, setting, str(saved.folder))


def _named(source: str, columns: ExampleColumns, setting: Setting) -> Iterator[Chunk]:
    import datasets

    match = DATASET_NAME.fullmatch(source)
    assert match is not None
    datasets.disable_progress_bars()
    try:
        rows = datasets.load_dataset(match[1], split=match[2] or "train")
    except Exception as error:  # datasets raises what its hub, its files and its builders do
        raise InputError(
            f"`{setting}` must be files, folders, globs or data sets that can be fetched, but {source!r} is no file "
            f"here, and datasets gave: {first_line(error)}"
        ) from error
    yield from _chunks_of(rows, columns, setting, source)


def _chunks_of(rows: Any, columns: ExampleColumns, setting: Setting, where: str) -> Iterator[Chunk]:
    tables = rows.with_format("arrow").iter(batch_size=CHUNK_ROWS)
    return chunks_of_tables(tables, columns, setting, where)


def _file(path: str, columns: ExampleColumns, setting: Setting) -> Iterator[Chunk]:
    suffix = Path(path).suffix.lower()
    if suffix == ".jsonl" or (suffix == ".json" and _has_an_object_a_line(path)):
        return chunks_of_rows(_lines(path, setting), columns, setting, path)
    if suffix == ".json":
        return chunks_of_rows(_squad_rows(path, setting), SQUAD_COLUMNS, setting, path)
    return _parquet(path, columns, setting)


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


def _has_an_object_a_line(path: str) -> bool:
    """Whether a file's first line is a JSON object by itself, and no SQuAD JSON."""
    try:
        with open_lines(place_of(path, "train")) as stream:
            texts = (line.removeprefix(codecs.BOM_UTF8).strip() for line in stream)
            first = json.loads(next(filter(None, texts), b""))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(first, dict) and "data" not in first


def _lines(path: str, setting: Setting) -> Iterator[JsonRow]:
    try:
        with open_lines(place_of(path, setting)) as stream:
            for number, line in enumerate(stream, start=1):
                if number == 1:
                    line = line.removeprefix(codecs.BOM_UTF8)
                if not line.strip():
                    continue
                where = f"line {number:,}"
                try:
                    yield JsonRow(where=where, value=json.loads(line.decode()))
                except (ValueError, RecursionError):
                    yield JsonRow(where=where, value=line.decode(errors="replace").strip(), broken=True)
    except OSError as error:
        raise InputError(f"`{setting}` must be readable JSONL, but {path} gives: {first_line(error)}") from error
