"""Rows in any form, from beginning to end as a stream of Arrow tables; what is wrong with one is said by its line."""

from __future__ import annotations

import csv
import io
import itertools
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from reprlib import repr as short_repr
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ray_qa.data.data_sets import is_data_set, open_named, open_saved, saved_data_set
from ray_qa.data.json_lines import has_an_object_a_line, read_json_lines
from ray_qa.data.json_streams import items_of
from ray_qa.data.object_tables import CHUNK_ROWS, BadRowError, ObjectRow, tables_of_objects
from ray_qa.data.reviewed_tasks import instead_of_tasks, is_task, reviewed_rows
from ray_qa.data.row_forms import form_of
from ray_qa.data.schemas import is_unicode
from ray_qa.data.squad_json import read_squad_json
from ray_qa.data.unpacking import open_anywhere, open_plain
from ray_qa.errors import InputError, first_line

ARROW_MAGIC = b"ARROW1"
LONGEST_FIELD = 2**31 - 1


def stream_rows(source: str, setting: str) -> Iterator[pa.Table]:
    """The rows of a file, by its path or URL, or of a data set, in order; columns may come to have wider types.

    JSONL, JSON (official SQuAD, a list of rows, or the export of Label Studio), CSV and TSV (whose columns are all
    text), Arrow and Feather, and Parquet, each compressed or not; data sets as :mod:`ray_qa.data.data_sets` has them.

    Raises:
        InputError: about ``setting``, if it cannot be read, or a row is not as it should be.
        StorageError: if its store cannot be reached, or lets us not in.
    """
    try:
        yield from _tables(source, setting)
    except BadRowError as error:
        raise InputError(f"`{setting}` must have rows that fit one table, but in {source} {error}") from None
    except (OSError, EOFError, pa.ArrowException, ValueError, RecursionError) as error:
        raise InputError(f"`{setting}` must be readable, but {source} gives: {first_line(error)}") from error


def _tables(source: str, setting: str) -> Iterable[pa.Table]:
    if (saved := saved_data_set(source)) is not None:
        return _of_data_set(open_saved(saved, setting, default=None))
    if is_data_set(source):
        return _of_data_set(open_named(source, setting, streaming=True))
    match form_of(source).form:
        case "parquet":
            return _parquet(source, setting)
        case "arrow":
            return _arrow(source, setting)
        case "csv":
            return tables_of_objects(_lines_of_csv(source, ",", setting))
        case "tsv":
            return tables_of_objects(_lines_of_csv(source, "\t", setting))
        case "jsonl":
            return tables_of_objects(_lines_of_json(source, setting))
        case "json":
            return tables_of_objects(_objects_of_json(source, setting))


def _of_data_set(rows: Any) -> Iterator[pa.Table]:
    tables: Iterator[pa.Table] = rows.with_format("arrow").iter(batch_size=CHUNK_ROWS)
    return tables


def _parquet(path: str, setting: str) -> Iterator[pa.Table]:
    with open_anywhere(path, setting) as file:
        parquet = pq.ParquetFile(file)
        yield parquet.schema_arrow.empty_table()
        yield from (pa.Table.from_batches([batch]) for batch in parquet.iter_batches(CHUNK_ROWS))


def _arrow(path: str, setting: str) -> Iterator[pa.Table]:
    """Arrow's file format, which Feather is too, or its stream format."""
    with open_anywhere(path, setting) as file:
        is_file = file.read(len(ARROW_MAGIC)) == ARROW_MAGIC
        file.seek(0)
        reader = pa.ipc.open_file(file) if is_file else pa.ipc.open_stream(file)
        yield reader.schema.empty_table()
        for batch in map(reader.get_batch, range(reader.num_record_batches)) if is_file else reader:
            for first in range(0, batch.num_rows, CHUNK_ROWS):
                yield pa.Table.from_batches([batch.slice(first, CHUNK_ROWS)])


def _lines_of_csv(path: str, delimiter: str, setting: str) -> Iterator[ObjectRow]:
    csv.field_size_limit(LONGEST_FIELD)  # the process's: as it comes it is too short for contexts
    names: list[str] = []
    line = names_line = 0
    with closing(io.TextIOWrapper(open_plain(path, setting), "utf-8-sig", "surrogateescape", newline="")) as stream:
        reader = csv.reader(stream, delimiter=delimiter, strict=True)
        try:
            for row in reader:
                first, line = line + 1, reader.line_num
                if not row:
                    continue
                _check_unicode(row, first)
                if not names:
                    names, names_line = row, first
                    if twice := [name for name in names if names.count(name) > 1]:
                        raise BadRowError(f"line {first:,} names the column {twice[0]!r} twice")
                    continue
                if len(row) != len(names):
                    raise BadRowError(
                        f"line {first:,} has {len(row):,} columns, and line {names_line:,} has {len(names):,}"
                    )
                values = dict(zip(names, row, strict=True))
                yield ObjectRow(where=f"line {first:,}", value=values, size=sum(map(len, row)))
        except csv.Error as error:
            at = f"line {line + 1:,}" if reader.line_num <= line + 1 else f"lines {line + 1:,} to {reader.line_num:,}"
            raise BadRowError(f"{at} cannot be read ({first_line(error)})") from None


def _check_unicode(row: Sequence[str], line: int) -> None:
    bad = next((text for text in row if not is_unicode(text)), None)
    if bad is not None:
        raise BadRowError(f"line {line:,} is not UTF-8: {short_repr(bad)}")


def _lines_of_json(path: str, setting: str) -> Iterator[ObjectRow]:
    for line in read_json_lines(path, setting):
        if line.broken:
            raise BadRowError(f"line {line.number:,} is no JSON ({line.broken})")
        yield _object(f"line {line.number:,}", line.value, line.size)


def _objects_of_json(path: str, setting: str) -> Iterator[ObjectRow]:
    if has_an_object_a_line(path, setting):
        yield from _lines_of_json(path, setting)
        return
    with closing(open_plain(path, setting)) as stream:
        if (rows := items_of(stream)) is not None:
            first = list(itertools.islice(rows, 1))
            rows = itertools.chain(first, rows)
            if other := next(filter(None, map(instead_of_tasks, first)), None):
                raise InputError(f"`{setting}` must have rows, but {path} {other}")
            if any(map(is_task, first)):
                yield from reviewed_rows(rows, path)
                return
            yield from (_object(f"row {number:,}", row, _size(row)) for number, row in enumerate(rows, start=1))
            return
    for number, squad in enumerate(read_squad_json(path, setting, needs_answers=False), start=1):
        yield _object(f"row {number:,}", squad.as_flat(), _size(squad.context))


def _object(where: str, value: object, size: int) -> ObjectRow:
    if not isinstance(value, dict):
        raise BadRowError(f"{where} is no object: {short_repr(value)}")
    return ObjectRow(where=where, value=value, size=size)


def _size(value: object) -> int:
    """About how large a value is, told by its texts."""
    return sum(len(text) for text in (value.values() if isinstance(value, dict) else [value]) if isinstance(text, str))
