"""Rows that are not Parquet, brought into Parquet once: whoever comes again finds them there.

NAME-NONCE-NNNN.parquet   rows of a source, in order, in files of some size and one schema
NAME.json                 which of them hold the source; NAME stands for the source as it was
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter, ValidationError

from ray_qa.data.data_sets import is_data_set, saved_data_set
from ray_qa.data.file_search import FoundFile, Stored, find_row_files
from ray_qa.data.object_tables import CHUNK_ROWS
from ray_qa.data.parquet_writing import FILE_BYTES, GroupWriter
from ray_qa.data.row_forms import form_of
from ray_qa.data.row_streams import stream_rows
from ray_qa.data.value_digest import ValueDigest
from ray_qa.errors import InputError
from ray_qa.storage import objects, places
from ray_qa.storage.remote import Place, Remote

FORM = 1
"""Goes up when the same rows are written otherwise than before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowSource:
    """Where rows come from, in the order of the patterns: a file, or a data set."""

    name: str
    """Its path or URL; or as :mod:`ray_qa.data.data_sets` takes it."""
    file: FoundFile | None
    stamp: str
    """What changes with its content; a data set of the hub is as it was when it was first fetched."""
    table: pa.Table | None = field(default=None, compare=False, repr=False)
    """Its rows, where the caller has them in memory."""

    @property
    def is_parquet(self) -> bool:
        """Whether its rows can be read as they are."""
        return self.file is not None and form_of(self.name).is_parquet


@dataclass(frozen=True, slots=True, kw_only=True)
class RowSources:
    """What patterns lead to, and what lay beside it."""

    sources: tuple[RowSource, ...]
    passed_over: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Converted:
    """The files that hold a source."""

    source: str
    files: tuple[str, ...]


_JSON: TypeAdapter[_Converted] = TypeAdapter(_Converted)
NO_TABLES: Mapping[str, pa.Table] = {}


def find_rows(patterns: Sequence[str], setting: str, tables: Mapping[str, pa.Table] = NO_TABLES) -> RowSources:
    """Expand files, folders, globs and names of data sets; in a folder Parquet counts where there is any, else all.

    ``tables`` are those that the caller has, by the names under which they stand among the patterns.

    Raises:
        InputError, ConfigError, StorageError: as :func:`ray_qa.data.file_search.find_files`.
    """
    sources: list[RowSource] = []
    passed_over: list[str] = []
    for pattern in patterns:
        if pattern in tables:
            table = tables[pattern]
            sources.append(RowSource(name=pattern, file=None, stamp=_stamp_of_table(table), table=table))
            continue
        if is_data_set(pattern) or saved_data_set(pattern):
            sources.append(RowSource(name=pattern, file=None, stamp=_stamp_of_data_set(pattern)))
            continue
        found = find_row_files([pattern], setting)
        passed_over += found.passed_over
        sources += [RowSource(name=file.path, file=file, stamp=_stamp(file)) for file in found.files]
    names = [source.name for source in sources]
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputError(f"`{setting}` must name every file once, but names {twice[0]} twice")
    return RowSources(sources=tuple(sources), passed_over=tuple(passed_over))


def bring_into_parquet(
    source: RowSource, folder: Place, setting: str, most: int | None = None
) -> tuple[FoundFile, ...]:
    """The Parquet files with the rows of a source; made in ``folder``, unless they are there or it is one itself.

    What is made has the first ``most`` rows alone, if that is given.

    Raises:
        InputError: about ``setting``, if it cannot be read, or a row is not as it should be.
        OSError, StorageError: if the folder cannot be written to.
    """
    if source.is_parquet and source.file is not None:
        return (source.file,)
    name = _stem(source, most)
    note = folder / f"{name}.json"
    there = _read(note)
    if there is None:
        places.make_folder(folder)
        written = _convert(source, folder, f"{name}-{uuid.uuid4().hex[:8]}", setting, most)
        made = _Converted(source=source.name, files=tuple(written))
        if places.publish_new(note, _JSON.dump_json(made)):
            there = made
        else:  # another command was first
            places.delete([folder / file for file in made.files])
            there = _read(note) or made
    partitions = source.file.partitions if source.file else ()
    return tuple(
        FoundFile(path=str(folder / file), stored=_stored(folder / file), partitions=partitions, source=source.name)
        for file in there.files
    )


def is_brought(source: RowSource, folder: Place, most: int | None = None) -> bool:
    """Whether there is nothing to make for :func:`bring_into_parquet`."""
    return source.is_parquet or places.exists(folder / f"{_stem(source, most)}.json")


def remove_others(folder: Place, needed: Collection[str]) -> None:
    """Remove what was brought into Parquet and is not ``needed``, by path: of sources as they were, or half of one.

    Raises:
        OSError, StorageError: if the folder cannot be written to.
    """
    names = places.names_in(folder)
    kept = {name for name in names if str(folder / name) in needed}
    stems = {name.partition("-")[0] for name in kept}
    places.delete([folder / name for name in names if name not in kept and name.removesuffix(".json") not in stems])


def _stem(source: RowSource, most: int | None) -> str:
    """What stands for a source, or its first rows, in the names of files; the same as long as it is what it was."""
    known_by = [FORM, source.name, source.stamp, *([] if most is None else [most])]
    return hashlib.sha256(json.dumps(known_by).encode()).hexdigest()[:32]


def _stamp(file: FoundFile) -> str:
    if file.stored is not None:
        return json.dumps([file.stored.size, file.stored.version])
    stat = Path(file.path).stat()
    return json.dumps([stat.st_size, stat.st_mtime_ns])


def _stamp_of_data_set(name: str) -> str:
    saved = saved_data_set(name)
    if saved is None:
        return ""
    stats = [(path.name, path.stat()) for path in sorted(saved.folder.rglob("*")) if path.is_file()]
    return json.dumps([(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats])


def _stamp_of_table(table: pa.Table) -> str:
    digest = ValueDigest()
    for some in _slices(table):
        digest.add(some)
    return json.dumps([digest.hexdigest(), str(table.schema)])


def _stored(place: Place) -> Stored | None:
    if not isinstance(place, Remote):
        return None
    found = objects.look_for(place)
    return Stored(size=found.size, version=found.version) if found else None


def _read(note: Place) -> _Converted | None:
    try:
        return _JSON.validate_json(places.read(note))
    except (FileNotFoundError, NotADirectoryError, ValidationError):
        return None


def _convert(source: RowSource, folder: Place, stem: str, setting: str, most: int | None) -> list[str]:
    """Write files, a new one where a column's type grows; in the end all are brought to the last schema."""
    with closing(_rows_of(source, setting, most)) as stream:
        return _write(stream, source, folder, stem, setting)


def _rows_of(source: RowSource, setting: str, most: int | None) -> Generator[pa.Table]:
    """The rows, or the first ``most``, some after the other."""
    stream = stream_rows(source.name, setting) if source.table is None else _slices(source.table)
    left = most
    for table in stream:
        yield table if left is None else table.slice(0, left)
        if left is not None:
            left -= table.num_rows
            if left <= 0:
                return


def _slices(table: pa.Table) -> Iterator[pa.Table]:
    yield table.schema.empty_table()
    yield from (table.slice(first, CHUNK_ROWS) for first in range(0, table.num_rows, CHUNK_ROWS))


def _write(stream: Iterator[pa.Table], source: RowSource, folder: Place, stem: str, setting: str) -> list[str]:
    written: list[_Written] = []
    schema, rows = pa.schema([]), 0
    table = next(stream, None)
    while table is not None:
        schema = _widened(schema, table.schema, rows, source.name, setting)
        place = folder / f"{stem}-{len(written):04d}.parquet"
        with places.draft_for(place) as draft, GroupWriter(draft, schema) as groups:
            size = 0
            while table is not None and size < FILE_BYTES:
                if not _widened(schema, table.schema, rows, source.name, setting).equals(schema):
                    break
                groups.add(in_schema(table, schema))
                rows, size, table = rows + table.num_rows, size + table.nbytes, next(stream, None)
        written.append(_Written(place=place, schema=schema))
    if not rows:
        places.delete([each.place for each in written])
        raise InputError(f"`{setting}` must have rows, but {source.name} has none")
    for each in written:
        if not each.schema.equals(schema):
            _rewrite(each.place, schema)
    return [each.place.name for each in written]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    place: Place
    schema: pa.Schema


def _rewrite(place: Place, schema: pa.Schema) -> None:
    with (
        pq.ParquetFile(places.open_input(place)) as file,
        places.draft_for(place) as draft,
        GroupWriter(draft, schema) as groups,
    ):
        for batch in file.iter_batches():
            groups.add(in_schema(pa.Table.from_batches([batch]), schema))


def _widened(schema: pa.Schema, more: pa.Schema, rows: int, source: str, setting: str) -> pa.Schema:
    more = more.remove_metadata()
    try:
        return pa.unify_schemas([schema, more], promote_options="permissive")
    except pa.ArrowException:
        name = next(
            name for name in more.names if name in schema.names and schema.field(name).type != more.field(name).type
        )
        raise InputError(
            f"`{setting}` must have one type in a column, but in {source} {name!r} is {schema.field(name).type} up to "
            f"row {rows:,}, and {more.field(name).type} from there on"
        ) from None


def in_schema(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """A table with all columns of a schema, in its types; what it has not is null."""
    columns = [
        table[field.name].cast(field.type) if field.name in table.column_names else pa.nulls(table.num_rows, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)
