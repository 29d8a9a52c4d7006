"""Gold answers by row id, from rows of any form: what predictions are judged against."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from reprlib import repr as short_repr
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ray_qa.data.answer_columns import as_array, is_list, list_of
from ray_qa.data.file_kinds import instead_of_parquet
from ray_qa.data.json_lines import has_an_object_a_line
from ray_qa.data.json_streams import items_of
from ray_qa.data.parquet_opening import open_parquet
from ray_qa.data.reviewed_tasks import ID as TASK_ID
from ray_qa.data.reviewed_tasks import has_tasks
from ray_qa.data.row_forms import form_of
from ray_qa.data.row_sources import RowSource, find_rows
from ray_qa.data.row_streams import stream_rows
from ray_qa.data.schemas import is_text
from ray_qa.data.squad_json import SquadRow, read_squad_json
from ray_qa.data.unpacking import open_plain
from ray_qa.errors import InputError, first_line

BATCH_ROWS = 16_384
ANSWERS = "answers"
TEXT_LISTS = pa.list_(pa.string())


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldRows:
    """Gold answers in data-set order."""

    ids: pa.ChunkedArray
    """Text, every id once."""
    texts: pa.ChunkedArray
    """A list of texts for each row; an unanswerable one has none."""

    def __len__(self) -> int:
        return len(self.ids)

    def by_id(self) -> dict[str, tuple[str, ...]]:
        """The answers by row id, in data-set order, as objects of Python."""
        return dict(zip(self.ids.to_pylist(), map(tuple, self.texts.to_pylist()), strict=True))


def read_gold(path: str, id_column: str) -> GoldRows:
    """Read gold answers, in data-set order; an unanswerable row has none.

    Args:
        path: Official SQuAD JSON; the JSON export of Label Studio; or a file, folder, glob or data set of rows, as
            ``ray_qa.data.row_streams`` has them, with the id column, and ``answers`` as ``struct{text: list of texts,
            ...}`` or a list of ``struct{text}``.
        id_column: The id column; in SQuAD JSON and exports of Label Studio always ``id``. Integers become strings.

    Raises:
        InputError: Nothing is there, or it cannot be read, or not as this; or an id is null or comes twice.
    """
    ids, texts, row = [], [], 0
    for source in find_rows([path], "gold").sources:
        for some in _rows_of(source, id_column):
            ids.append(id_texts(some.ids, "gold", path, row))
            texts.append(text_lists(some.answers, path, row))
            row += len(some.ids)
    if not row:
        raise InputError(f"`gold` must have rows, but {path} has none")
    gold = GoldRows(ids=pa.chunked_array(ids, pa.string()), texts=pa.chunked_array(texts, TEXT_LISTS))
    check_once(gold.ids, "gold", path)
    return gold


def id_texts(ids: pa.Array, setting: str, path: str, row: int) -> pa.Array:
    """Ids as texts; integers become strings.

    Args:
        ids: as the source has them.
        setting: what named the source.
        path: the source.
        row: how many rows of it come before.

    Raises:
        InputError: if one is null or something else.
    """
    if ids.null_count:
        where = f"row {row + ids.is_null().index(True).as_py() + 1} of {path}"
        raise InputError(f"`{setting}` must have an id in every row, but {where} has none")
    if len(ids) and not is_text(ids.type) and not pa.types.is_integer(ids.type):
        found = short_repr(ids[0].as_py())
        raise InputError(f"`{setting}` must have strings or integers as ids, but row {row + 1} of {path} has {found}")
    plain = ids.cast(ids.type.value_type) if pa.types.is_dictionary(ids.type) else ids
    return plain.cast(pa.string())


def check_once(ids: pa.ChunkedArray, setting: str, path: str, made_of: Callable[[str], str] = lambda _: "") -> None:
    """Check that every id comes once.

    Args:
        ids: as texts.
        setting: what named the source.
        path: the source.
        made_of: what more is to be said of an id that comes twice.

    Raises:
        InputError: naming the first row that repeats one.
    """
    if pc.count_distinct(ids).as_py() == len(ids):
        return
    codes = as_array(ids).dictionary_encode().indices.to_numpy()
    row = 1 + int(np.argmax(codes[1:] <= np.maximum.accumulate(codes[:-1])))
    found = ids[row].as_py()
    where = f"row {row + 1} of {path}"
    raise InputError(f"`{setting}` must have every id once, but {where} repeats {short_repr(found)}{made_of(found)}")


def text_lists(answers: pa.Array, path: str, row: int) -> pa.Array:
    """Gold answers as lists of texts.

    Args:
        answers: a list of texts for each row, as the source has them.
        path: the source.
        row: how many rows of it come before.

    Raises:
        InputError: if one is null or something else.
    """
    if not len(answers):
        return pa.array([], TEXT_LISTS)
    if is_list(answers.type) and not answers.null_count:
        lists = answers.cast(pa.list_(answers.type.value_type))
        flat = pc.list_flatten(lists)
        if (is_text(flat.type) or pa.types.is_null(flat.type)) and not flat.null_count:
            plain = flat.cast(flat.type.value_type) if pa.types.is_dictionary(flat.type) else flat
            return list_of(lists, plain.cast(pa.string()))
    for number, value in enumerate(answers.to_pylist(), start=row + 1):
        if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
            raise InputError(
                "`gold` must have a list of texts as answers, [] where unanswerable, but "
                f"row {number} of {path} has {short_repr(value)}"
            )
    return answers.cast(TEXT_LISTS)


def gold_texts(table: pa.Table, column: str, setting: str, path: str) -> pa.Array:
    """The texts of a column of gold answers, a list for each row, still to be checked.

    Raises:
        InputError: about ``setting``, if there are none.
    """
    _check_column(table.schema, column, setting, path)
    kind = table.schema.field(column).type
    struct = kind.value_type if is_list(kind) else kind
    if pa.types.is_null(kind) and not table.num_rows:
        return pa.array([], TEXT_LISTS)
    if not pa.types.is_struct(struct) or struct.get_field_index("text") < 0:
        raise InputError(
            f"`{setting}` must have a struct with 'text' in {column!r}, but {path} has {kind}; make it "
            '{"text": ["…"]} in each row, as SQuAD has it, and {"text": []} where there is no answer'
        )
    values = as_array(table[column])
    if pa.types.is_struct(kind):
        return pc.struct_field(values, "text")
    pairs = values.cast(pa.list_(struct))
    return list_of(pairs, pc.struct_field(pc.list_flatten(pairs), "text"))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """Some rows as their source has them, still to be checked."""

    ids: pa.Array
    answers: pa.Array


def _check_column(schema: pa.Schema, name: str, setting: str, path: str) -> None:
    if schema.get_field_index(name) < 0:
        raise InputError(f"`{setting}` must have a column {name!r}, but {path} has {', '.join(schema.names)}")


def _rows_of(source: RowSource, id_column: str) -> Iterator[_Rows]:
    if source.file is not None and form_of(source.name).form == "json" and not _has_rows(source.name):
        yield from _squad_json_rows(source.name)
        return
    if source.file is not None and form_of(source.name).form == "json" and has_tasks(source.name, "gold"):
        id_column = TASK_ID
    for table in _parquet_tables(source.name, id_column) if source.is_parquet else stream_rows(source.name, "gold"):
        _check_column(table.schema, id_column, "gold", source.name)
        answers = gold_texts(table, ANSWERS, "gold", source.name)
        yield _Rows(ids=as_array(table[id_column]), answers=answers)


def _parquet_tables(file: str, id_column: str) -> Iterator[pa.Table]:
    try:
        with open_parquet(file) as parquet:
            for name in (id_column, ANSWERS):
                _check_column(parquet.schema_arrow, name, "gold", file)
            yield parquet.schema_arrow.empty_table().select([id_column, ANSWERS])
            for batch in parquet.iter_batches(columns=[id_column, ANSWERS], batch_size=BATCH_ROWS):
                yield pa.Table.from_batches([batch])
    except (pa.ArrowException, OSError) as error:
        kind = instead_of_parquet(file)
        found = f"is {kind}" if kind else f"cannot be read: {first_line(error)}"
        raise InputError(f"`gold` must be Parquet, but {file} {found}") from error


def _has_rows(path: str) -> bool:
    """Whether a JSON file is objects, a line each or in a list that may be empty, and so no SQuAD JSON."""
    if has_an_object_a_line(path, "gold"):
        return True
    try:
        with closing(open_plain(path, "gold")) as stream:
            rows = items_of(stream)
            return rows is not None and next(rows, {}) is not None
    except (OSError, ValueError, RecursionError):
        return False


def _squad_json_rows(path: str) -> Iterator[_Rows]:
    rows, done = read_squad_json(path, "gold"), 0
    while some := list(islice(rows, BATCH_ROWS)):
        yield _Rows(ids=_json_ids(some, path, done), answers=_json_answers(some, path, done))
        done += len(some)


def _json_ids(rows: Sequence[SquadRow], path: str, done: int) -> pa.Array:
    texts = [str(row.id) if type(row.id) is int else row.id for row in rows]
    for row, value in enumerate(texts, start=done + 1):
        if value is not None and not isinstance(value, str):
            found = short_repr(value)
            raise InputError(f"`gold` must have strings or integers as ids, but row {row} of {path} has {found}")
    return pa.array(texts, pa.string())


def _json_answers(rows: Sequence[SquadRow], path: str, done: int) -> pa.Array:
    answers = [[_answer_text(answer) for answer in row.answers] for row in rows]
    for row, value in enumerate(answers, start=done + 1):
        if not all(isinstance(text, str) for text in value):
            raise InputError(
                "`gold` must have a list of texts as answers, [] where unanswerable, but "
                f"row {row} of {path} has {short_repr(value)}"
            )
    return pa.array(answers, TEXT_LISTS)


def _answer_text(answer: Any) -> object:
    return answer.get("text") if isinstance(answer, dict) else None
