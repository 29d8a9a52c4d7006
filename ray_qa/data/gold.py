"""What ``evaluate`` reads: gold answers by row id, from rows of any form, and predictions, from Parquet or JSON."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from contextlib import closing
from reprlib import repr as short_repr
from typing import Any, Literal, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from ray_qa.data.answer_columns import as_array, is_list, list_of
from ray_qa.data.file_kinds import instead_of_parquet
from ray_qa.data.file_search import find_files
from ray_qa.data.json_lines import has_an_object_a_line
from ray_qa.data.json_streams import items_of
from ray_qa.data.parquet_opening import open_parquet
from ray_qa.data.row_forms import form_of
from ray_qa.data.row_sources import RowSource, find_rows
from ray_qa.data.row_streams import stream_rows
from ray_qa.data.squad_json import load_json, read_squad_json
from ray_qa.data.unpacking import open_plain
from ray_qa.errors import InputError, first_line
from ray_qa.storage import places
from ray_qa.storage.local import SUCCESS
from ray_qa.storage.remote import Remote, place_of

Value = TypeVar("Value")
Setting = Literal["gold", "predictions"]
Rows = Iterable[tuple[object, object]]
"""Pairs of a row's id and its value, both still to be checked."""


def read_gold(path: str, id_column: str) -> dict[str, tuple[str, ...]]:
    """Read gold answers by row id, in data-set order; an unanswerable row has none.

    Args:
        path: Official SQuAD JSON; or a file, folder, glob or data set of rows, as ``ray_qa.data.row_streams`` has them,
            with the id column, and ``answers`` as ``struct{text: list of texts, ...}`` or a list of ``struct{text}``.
        id_column: The id column; in SQuAD JSON it is always ``id``. Integers become strings.

    Raises:
        InputError: Nothing is there, or it cannot be read, or not as this; or an id is null or comes twice.
    """
    sources = find_rows([path], "gold").sources
    rows = itertools.chain.from_iterable(_gold_rows(source, id_column) for source in sources)
    golds = _by_id(rows, _gold_texts, "gold", path)
    if not golds:
        raise InputError(f"`gold` must have rows, but {path} has none")
    return golds


def read_predictions(path: str, id_column: str, prefix: str) -> dict[str, str]:
    """Read predicted texts by row id; no answer, and a failed row, is "".

    Args:
        path: A finished folder that ``annotate`` wrote, or a JSON file ``{id: text}``.
        id_column: The id column of the folder's parts. Integers become strings.
        prefix: What stands before ``answer`` in the name of the answer column.

    Raises:
        InputError: As for ``read_gold``; or the folder is unfinished.
    """
    place = place_of(path, "predictions")
    if not path.lower().endswith(".json") if isinstance(place, Remote) else place.is_dir():
        rows = _parquet_rows(_finished_parts(path), id_column, f"{prefix}answer", "predictions")
    else:
        rows = _prediction_json_rows(path)
    return _by_id(rows, _predicted_text, "predictions", path)


def _finished_parts(folder: str) -> list[str]:
    parts = find_files([folder], "predictions").paths
    if not places.exists(place_of(folder, "predictions") / SUCCESS):
        raise InputError(
            f"`predictions` must be a finished run of annotate, but {folder} has no {SUCCESS}; "
            "run the same annotate command again to finish it"
        )
    return parts


def _by_id(rows: Rows, check: Callable[[object, str], Value], setting: Setting, path: str) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for number, (row_id, value) in enumerate(rows, start=1):
        where = f"row {number} of {path}"
        if row_id is None:
            raise InputError(f"`{setting}` must have an id in every row, but {where} has none")
        if isinstance(row_id, bool) or not isinstance(row_id, str | int):
            raise InputError(f"`{setting}` must have strings or integers as ids, but {where} has {short_repr(row_id)}")
        key = str(row_id)
        if key in found:
            raise InputError(f"`{setting}` must have every id once, but {where} repeats {short_repr(key)}")
        found[key] = check(value, where)
    return found


def _gold_rows(source: RowSource, id_column: str) -> Rows:
    if source.is_parquet:
        return _parquet_rows([source.name], id_column, "answers", "gold", field="text")
    if source.file is not None and form_of(source.name).form == "json" and not _has_rows(source.name):
        return _squad_json_rows(source.name)
    return _streamed_rows(source.name, id_column)


def _has_rows(path: str) -> bool:
    """Whether a JSON file is objects, a line each or in a list, and so no SQuAD JSON."""
    if has_an_object_a_line(path, "gold"):
        return True
    try:
        with closing(open_plain(path, "gold")) as stream:
            rows = items_of(stream)
            return rows is not None and next(rows, None) is not None
    except (OSError, ValueError, RecursionError):
        return False


def _streamed_rows(source: str, id_column: str) -> Rows:
    for table in stream_rows(source, "gold"):
        yield from _pairs(table, id_column, "answers", "text", "gold", source)


def _gold_texts(value: object, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise InputError(
            f"`gold` must have a list of texts as answers, [] where unanswerable, but {where} has {short_repr(value)}"
        )
    return tuple(value)


def _predicted_text(value: object, where: str) -> str:
    if value is not None and not isinstance(value, str):
        raise InputError(f"`predictions` must have a text for every id, but {where} has {short_repr(value)[:60]}")
    return value or ""


def _parquet_rows(files: list[str], id_column: str, column: str, setting: Setting, *, field: str | None = None) -> Rows:
    """Stream the ids and one other column, or one field of it, file after file."""
    for file in files:
        try:
            with open_parquet(file) as parquet:
                _check_columns(parquet.schema_arrow, id_column, column, field, setting, file)
                for batch in parquet.iter_batches(columns=[id_column, column]):
                    yield from _pairs(pa.Table.from_batches([batch]), id_column, column, field, setting, file)
        except (pa.ArrowException, OSError) as error:
            kind = instead_of_parquet(file)
            found = f"is {kind}" if kind else f"cannot be read: {first_line(error)}"
            raise InputError(f"`{setting}` must be Parquet, but {file} {found}") from error


def _pairs(table: pa.Table, id_column: str, column: str, field: str | None, setting: Setting, where: str) -> Rows:
    _check_columns(table.schema, id_column, column, field, setting, where)
    values = as_array(table[column])
    if field and pa.types.is_struct(values.type):
        values = pc.struct_field(values, field)
    elif field:
        pairs = values.cast(pa.list_(values.type.value_type))
        values = list_of(pairs, pc.struct_field(pc.list_flatten(pairs), field))
    return zip(table[id_column].to_pylist(), values.to_pylist(), strict=True)


def _check_columns(
    schema: Any,
    id_column: str,
    column: str,
    field: str | None,
    setting: Setting,
    file: str,
) -> None:
    for name in (id_column, column):
        if schema.get_field_index(name) < 0:
            raise InputError(f"`{setting}` must have a column {name!r}, but {file} has {', '.join(schema.names)}")
    type_there = schema.field(column).type
    struct = type_there.value_type if is_list(type_there) else type_there
    if field and not (pa.types.is_struct(struct) and struct.get_field_index(field) >= 0):
        raise InputError(f"`{setting}` must have a struct with {field!r} in {column!r}, but {file} has {type_there}")


def _squad_json_rows(path: str) -> Rows:
    for row in read_squad_json(path, "gold"):
        yield row.id, [answer.get("text") if isinstance(answer, dict) else None for answer in row.answers]


def _prediction_json_rows(path: str) -> Rows:
    # pairs, where a dict would hide that an id comes twice
    rows = load_json(path, "predictions", "a folder that annotate wrote or a JSON file", read_object=tuple)
    if not isinstance(rows, tuple):
        raise InputError(f"`predictions` must be a JSON object {{id: text}}, but {path} has a {type(rows).__name__}")
    return rows
