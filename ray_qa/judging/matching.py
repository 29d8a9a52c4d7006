"""Which gold row a prediction belongs to: by id, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
from ray_qa.runs.question_pairs import made_of


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


def matched_by_id(
    predictions: Predictions, gold: GoldRows, id_column: str, columns: Sequence[str]
) -> Iterator[Matched]:
    """The predictions whose id is among those of the gold rows.

    Raises:
        InputError: as :func:`ray_qa.judging.predictions.prediction_tables`; or an id is null or comes twice.
    """
    column = "id" if predictions.table is not None else id_column
    predictions.check_column(column, "; name the column of ids with --id-column")
    is_taken_G = np.zeros(len(gold), np.bool_)
    lookup = _lookup(gold.ids)
    row = 0
    for table in prediction_tables(predictions, list(dict.fromkeys([column, *columns]))):
        ids = id_texts(as_array(table[column]), predictions.setting, predictions.path, row)
        gold_B = _found(lookup, gold.ids, ids)
        is_found = pa.array(gold_B >= 0)
        some = Matched(
            table=table.filter(is_found),
            gold_B=gold_B[gold_B >= 0],
            row_B=row + np.flatnonzero(gold_B >= 0),
            texts=as_array(gold.texts.take(pa.array(gold_B[gold_B >= 0]))),
        )
        _check_untaken(is_taken_G, some, ids.filter(is_found), predictions)
        yield some
        row += table.num_rows


def in_themselves(predictions: Predictions, answers_column: str, columns: Sequence[str]) -> Iterator[Matched]:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lookup:
    """Where ids are by their hashes: 16 bytes each, where a dict takes some hundred."""

    hash_G: npt.NDArray[np.int64]
    """Rising."""
    gold_G: npt.NDArray[np.int64]
    """Which gold row has the hash."""


def _lookup(ids: pa.ChunkedArray) -> _Lookup:
    hash_G = np.concatenate([_hashes(chunk) for chunk in ids.chunks])
    gold_G = np.argsort(hash_G, kind="stable")
    return _Lookup(hash_G=hash_G[gold_G], gold_G=gold_G)


def _hashes(ids: pa.Array) -> npt.NDArray[np.int64]:
    return np.fromiter(map(hash, ids.to_pylist()), np.int64, len(ids))


def _found(lookup: _Lookup, gold_ids: pa.ChunkedArray, ids: pa.Array) -> npt.NDArray[np.int64]:
    """The gold row of each id, −1 where there is none: of the rows with its hash the one with its text."""
    hash_B = _hashes(ids)
    found_B = np.full(len(ids), -1, np.int64)
    place_B = np.searchsorted(lookup.hash_G, hash_B)
    open_B = np.arange(len(ids))
    while len(open_B := open_B[place_B[open_B] < len(lookup.hash_G)]):
        open_B = open_B[lookup.hash_G[place_B[open_B]] == hash_B[open_B]]
        gold_B = lookup.gold_G[place_B[open_B]]
        is_same = np.asarray(pc.equal(as_array(gold_ids.take(pa.array(gold_B))), ids.take(pa.array(open_B))), np.bool_)
        found_B[open_B[is_same]] = gold_B[is_same]
        open_B = open_B[~is_same]
        place_B[open_B] += 1
    return found_B


def _check_untaken(is_taken_G: npt.NDArray[np.bool_], some: Matched, ids: pa.Array, predictions: Predictions) -> None:
    """Mark gold rows as taken; the same one twice is two predictions of one id."""
    is_twice_B = is_taken_G[some.gold_B]
    is_twice_B[np.setdiff1d(np.arange(len(some.gold_B)), np.unique(some.gold_B, return_index=True)[1])] = True
    if is_twice_B.any():
        nth = int(np.argmax(is_twice_B))
        row, found = some.row_B[nth] + 1, ids[nth].as_py()
        of_pair, where = "", f"row {row} of {predictions.path}"
        if predictions.pairs is not None and predictions.output is not None:
            of_pair, where = made_of(found, predictions.output.questions), f"pair {row} of {predictions.path}"
        message = f"`{predictions.setting}` must have every id once, but {where} repeats {short_repr(found)}{of_pair}"
        raise InputError(message)
    is_taken_G[some.gold_B] = True
