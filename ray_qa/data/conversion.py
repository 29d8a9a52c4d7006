"""Rows that are not Parquet, brought into Parquet once: whoever comes again finds them there.

NAME-NONCE-NNNN.parquet   rows of a source, in order, in files of some size and one schema
NAME.json                 which of them hold the source; NAME stands for the source as it was
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Collection, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter, ValidationError

from ray_qa.data.file_search import FoundFile, Stored
from ray_qa.data.object_tables import BadRowError
from ray_qa.data.parquet_writing import FILE_BYTES, GroupWriter
from ray_qa.data.row_sources import RowSource, slices
from ray_qa.data.row_streams import stream_rows
from ray_qa.data.text_files import tables_of_texts
from ray_qa.errors import InputError, first_line
from ray_qa.storage import objects, places
from ray_qa.storage.remote import Place, Remote

FORM = 1
"""Goes up when the same rows are written otherwise than before."""
LONGEST_TYPE = 60
"""Characters of a type that are shown of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """The Parquet files that hold a source, in order, and what is wrong with those of its files that they leave out."""

    files: tuple[FoundFile, ...]
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Converted:
    """The names of the files that hold a source, and what they leave out."""

    source: str
    files: tuple[str, ...]
    left_out: tuple[str, ...] = ()


_JSON: TypeAdapter[_Converted] = TypeAdapter(_Converted)


def bring_into_parquet(source: RowSource, folder: Place, setting: str, most: int | None = None) -> Brought:
    """The Parquet files with the rows of a source; made in ``folder``, unless they are there or it is one itself.

    What is made has the first ``most`` rows alone, if that is given.

    Raises:
        InputError: about ``setting``, if it cannot be read, or a row is not as it should be.
        OSError, StorageError: if the folder cannot be written to.
    """
    if source.is_parquet and source.file is not None:
        return Brought(files=(source.file,))
    name = _stem(source, most)
    note = folder / f"{name}.json"
    there = _read(note)
    if there is None:
        places.make_folder(folder)
        made = _convert(source, folder, f"{name}-{uuid.uuid4().hex[:8]}", setting, most)
        if places.publish_new(note, _JSON.dump_json(made)):
            there = made
        else:  # another command was first
            places.delete([folder / file for file in made.files])
            there = _read(note) or made
    partitions = source.file.partitions if source.file else ()
    return Brought(
        files=tuple(
            FoundFile(path=str(folder / file), stored=_stored(folder / file), partitions=partitions, source=source.name)
            for file in there.files
        ),
        left_out=there.left_out,
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


def _convert(source: RowSource, folder: Place, stem: str, setting: str, most: int | None) -> _Converted:
    left_out: list[str] = []
    try:
        with closing(_first_rows(_rows_of(source, setting, left_out.append), most)) as stream:
            files = _write(stream, source, folder, stem, setting)
    except BadRowError as error:
        raise InputError(f"`{setting}` must have rows that fit one table, but in {source.name} {error}") from None
    if not files:
        raise InputError(*left_out or [f"`{setting}` must have rows, but {source.name} has none"])
    return _Converted(source=source.name, files=tuple(files), left_out=tuple(left_out))


def _rows_of(source: RowSource, setting: str, leave_out: Callable[[str], None]) -> Iterator[pa.Table]:
    if source.table is not None:
        return slices(source.table)
    if source.texts is not None:
        return tables_of_texts(source.texts, setting, leave_out)
    return stream_rows(source.name, setting)


def _first_rows(stream: Iterator[pa.Table], most: int | None) -> Generator[pa.Table]:
    """The rows, or the first ``most``, some after the other."""
    left = most
    for table in stream:
        yield table if left is None else table.slice(0, left)
        if left is not None:
            left -= table.num_rows
            if left <= 0:
                return


def _write(stream: Iterator[pa.Table], source: RowSource, folder: Place, stem: str, setting: str) -> list[str]:
    """Write files, a new one where a column's type grows; in the end all are brought to the last schema.

    Gives their names: none where there are no rows.
    """
    written: list[_Written] = []
    schema, rows = pa.schema([]), 0
    table = next(stream, None)
    while table is not None:
        schema = _widened(schema, table.schema, rows, source.name, setting)
        _check_parquet_holds(schema)
        place = folder / f"{stem}-{len(written):04d}.parquet"
        with places.draft_for(place) as draft, GroupWriter(draft, schema) as groups:
            size = 0
            while table is not None and size < FILE_BYTES:
                if not _widened(schema, table.schema, rows, source.name, setting).equals(schema):
                    break
                groups.add(_in_schema(table, schema))
                rows, size, table = rows + table.num_rows, size + table.nbytes, next(stream, None)
        written.append(_Written(place=place, schema=schema))
    if not rows:
        places.delete([each.place for each in written])
        return []
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
            groups.add(_in_schema(pa.Table.from_batches([batch]), schema))


def _widened(schema: pa.Schema, more: pa.Schema, rows: int, source: str, setting: str) -> pa.Schema:
    more = more.remove_metadata()
    if twice := [name for name in more.names if more.names.count(name) > 1]:
        raise BadRowError(f"two columns have the name {twice[0]!r}")
    try:
        return pa.unify_schemas([schema, more], promote_options="permissive")
    except pa.ArrowException:
        name = next(name for name in more.names if name in schema.names and not _go_together(schema, more, name))
        raise InputError(
            f"`{setting}` must have one type in a column, but in {source} {name!r} is {schema.field(name).type} up to "
            f"row {rows:,}, and {more.field(name).type} from there on"
        ) from None


def _go_together(schema: pa.Schema, more: pa.Schema, name: str) -> bool:
    try:
        pa.unify_schemas([pa.schema([each.field(name)]) for each in (schema, more)], promote_options="permissive")
    except pa.ArrowException:
        return False
    return True


def _check_parquet_holds(schema: pa.Schema) -> None:
    """Check that Parquet can hold columns of these types, and that they can be read again: by trying."""
    for field in schema:
        try:
            trial = pa.BufferOutputStream()
            pq.write_table(pa.schema([field]).empty_table(), trial)
            pq.read_schema(pa.BufferReader(trial.getvalue()))
        except (pa.ArrowException, OSError) as error:
            kind = str(field.type)
            shown = kind if len(kind) < LONGEST_TYPE else f"{kind[:LONGEST_TYPE]}…"
            raise BadRowError(f"{field.name!r} is {shown}, which Parquet cannot hold ({_why(error)})") from None


def _why(error: Exception) -> str:
    """What Arrow says, without the file that was tried."""
    return first_line(error).rpartition("': ")[2]


def _in_schema(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """A table with all columns of a schema, in its types; what it has not is null."""
    columns = [
        _cast(table[field.name], field) if field.name in table.column_names else pa.nulls(table.num_rows, field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _cast(column: pa.ChunkedArray, field: pa.Field) -> pa.ChunkedArray:
    if column.type.equals(field.type):  # Arrow takes nulls out of lists of nulls where it casts them to themselves
        return column
    try:
        return column.cast(field.type)
    except pa.ArrowInvalid as error:
        raise BadRowError(f"{field.name!r} cannot be {field.type} in all rows ({first_line(error)})") from None
