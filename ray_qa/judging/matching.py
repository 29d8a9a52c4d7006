"""Which gold row a prediction belongs to: by id, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from reprlib import repr as short_repr

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ray_qa.data.answer_columns import as_array
from ray_qa.data.gold import GoldRows, gold_texts, id_texts, text_lists
from ray_qa.errors import InputError
from ray_qa.judging.predictions import Predictions, prediction_tables

LOOKUP_ROWS = 262_144
"""Looking ids up costs a pass over all gold ids: rows are looked up so many at a time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """B predictions that have a gold row."""

    table: pa.Table
    """Their columns."""
    gold_B: npt.NDArray[np.int64]
    """Which gold row each belongs to."""
    row_B: npt.NDArray[np.int64]
    """Which row of the predictions each is."""
    texts: pa.Array
    """Their gold answers, a list of texts each."""


def matched_by_id(predictions: Predictions, gold: GoldRows, id_column: str, columns: list[str]) -> Iterator[Matched]:
    """The predictions whose id is among those of the gold rows.

    Raises:
        InputError: as :func:`ray_qa.judging.predictions.prediction_tables`; or an id is null or comes twice.
    """
    column = "id" if predictions.table is not None else id_column
    predictions.check_column(column)
    is_taken_G = np.zeros(len(gold), np.bool_)
    row = 0
    for table in _larger(prediction_tables(predictions, list(dict.fromkeys([column, *columns])))):
        ids = id_texts(as_array(table[column]), predictions.setting, predictions.path, row)
        found = pc.index_in(ids, value_set=gold.ids)
        is_found = found.is_valid()
        some = Matched(
            table=table.filter(is_found),
            gold_B=found.drop_null().to_numpy().astype(np.int64),
            row_B=row + np.flatnonzero(is_found.to_numpy(zero_copy_only=False)),
            texts=as_array(gold.texts.take(found.drop_null())),
        )
        _check_untaken(is_taken_G, some, ids.filter(is_found), predictions)
        yield some
        row += table.num_rows


def in_themselves(predictions: Predictions, answers_column: str, columns: list[str]) -> Iterator[Matched]:
    """Predictions that have gold answers beside them.

    Raises:
        InputError: as :func:`ray_qa.judging.predictions.prediction_tables`; or there are none.
    """
    row = 0
    for table in prediction_tables(predictions, list(dict.fromkeys([answers_column, *columns]))):
        texts = gold_texts(table, answers_column, predictions.setting, predictions.path)
        row_B = np.arange(row, row + table.num_rows)
        yield Matched(table=table, gold_B=row_B, row_B=row_B, texts=text_lists(texts, predictions.path, row))
        row += table.num_rows


def _larger(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    waiting: list[pa.Table] = []
    for table in tables:
        waiting.append(table)
        if sum(each.num_rows for each in waiting) >= LOOKUP_ROWS:
            yield pa.concat_tables(waiting)
            waiting = []
    if waiting:
        yield pa.concat_tables(waiting)


def _check_untaken(is_taken_G: npt.NDArray[np.bool_], some: Matched, ids: pa.Array, predictions: Predictions) -> None:
    """Mark gold rows as taken; the same one twice is two predictions of one id."""
    is_twice_B = is_taken_G[some.gold_B]
    is_twice_B[np.setdiff1d(np.arange(len(some.gold_B)), np.unique(some.gold_B, return_index=True)[1])] = True
    if is_twice_B.any():
        nth = int(np.argmax(is_twice_B))
        where = f"row {some.row_B[nth] + 1} of {predictions.path}"
        found = short_repr(ids[nth].as_py())
        raise InputError(f"`{predictions.setting}` must have every id once, but {where} repeats {found}")
    is_taken_G[some.gold_B] = True
