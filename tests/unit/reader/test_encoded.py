from __future__ import annotations

from dataclasses import fields, replace
from itertools import pairwise
from typing import Any, get_args

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_qa.reader.arrays import Ints
from ray_qa.reader.encoded import (
    NO_REASON,
    REASONS,
    EncodedRows,
    arrays_from_ipc,
    arrays_to_ipc,
    join_rows,
    positions_of,
)
from ray_qa.records import Reason
from ray_qa.settings import ReadingSettings


def flat(lists: list[list[int]]) -> list[int]:
    return [value for values in lists for value in values]


def offsets(lists: list[list[int]]) -> list[int]:
    return [0, *np.cumsum([len(values) for values in lists]).astype(int).tolist()]


def encoded_rows(
    questions: list[list[int]], contexts: list[list[int]], rows: list[tuple[int, int, int]]
) -> EncodedRows:
    """Rows of (question, context, reason code) over distinct texts, given as token ids."""
    return EncodedRows(
        question_R=np.array([row[0] for row in rows], dtype=np.int64),
        question_offsets=np.array(offsets(questions), dtype=np.int64),
        question_ids=np.array(flat(questions), dtype=np.int32),
        question_cut_R=np.array([row[0] % 2 for row in rows], dtype=np.int8),
        context_R=np.array([row[1] for row in rows], dtype=np.int64),
        context_offsets=np.array(offsets(contexts), dtype=np.int64),
        context_ids=np.array(flat(contexts), dtype=np.int32),
        context_start=np.array(flat([list(range(len(ids))) for ids in contexts]), dtype=np.int32),
        context_end=np.array(flat([list(range(1, len(ids) + 1)) for ids in contexts]), dtype=np.int32),
        reason_R=np.array([row[2] for row in rows], dtype=np.int8),
    )


texts = st.lists(st.lists(st.integers(0, 2**31 - 1), max_size=6), min_size=1, max_size=4)


@st.composite
def some_rows(draw: st.DrawFn) -> EncodedRows:
    questions, contexts = draw(texts), draw(texts)
    row = st.tuples(
        st.integers(0, len(questions) - 1),
        st.integers(0, len(contexts) - 1),
        st.sampled_from([NO_REASON, *range(len(REASONS))]),
    )
    return encoded_rows(questions, contexts, draw(st.lists(row, max_size=5)))


def contents(rows: EncodedRows) -> list[tuple[Any, ...]]:
    """What each row holds, wherever its texts lie."""
    return [
        (
            rows.question_ids[slice(*rows.question_offsets[question : question + 2])].tolist(),
            *(
                values[slice(*rows.context_offsets[context : context + 2])].tolist()
                for values in (rows.context_ids, rows.context_start, rows.context_end)
            ),
            int(cut),
            rows.reason(row),
        )
        for row, (question, context, cut) in enumerate(
            zip(rows.question_R, rows.context_R, rows.question_cut_R, strict=True)
        )
    ]


def cut(rows: EncodedRows) -> list[list[tuple[int, int, int]]]:
    """The windows of each row."""
    windows = rows.windows(ReadingSettings(max_tokens=12, max_question_tokens=6, stride=1), special_tokens=3)
    every = list(zip(windows.start.tolist(), windows.stop.tolist(), windows.tokens.tolist(), strict=True))
    return [[every[window] for window in np.flatnonzero(windows.row == row)] for row in range(len(rows))]


def numbers(values: list[int]) -> Ints:
    return np.array(values, dtype=np.int64)


@given(some_rows(), st.booleans())
def test_rows_travel_through_arrow_unchanged(rows: EncodedRows, as_buffer: bool) -> None:
    value = rows.to_ipc()
    back = EncodedRows.from_ipc(pa.py_buffer(value) if as_buffer else value)
    for field in fields(EncodedRows):
        sent, received = getattr(rows, field.name), getattr(back, field.name)
        assert received.dtype == sent.dtype
        assert received.tolist() == sent.tolist()


def test_no_rows_travel_too() -> None:
    back = EncodedRows.from_ipc(encoded_rows([], [], []).to_ipc())
    assert len(back) == 0
    assert len(back.windows(ReadingSettings(), special_tokens=3)) == 0


def test_a_reason_is_kept_by_its_code() -> None:
    rows = encoded_rows([[1]], [[2]], [(0, 0, code) for code in (NO_REASON, *range(len(REASONS)))])
    assert [rows.reason(row) for row in range(len(rows))] == [None, *get_args(Reason)]


def test_every_reason_has_a_code_that_fits_its_column() -> None:
    assert len(REASONS) == len(set(REASONS)) < np.iinfo(np.int8).max
    assert NO_REASON not in range(len(REASONS))


def test_rows_that_share_texts_are_cut_each_by_its_own_lengths() -> None:
    rows = encoded_rows([[1] * 4, [1] * 10], [[2] * 30, [2] * 5], [(0, 0, NO_REASON), (1, 0, NO_REASON), (1, 1, -1)])
    windows = rows.windows(ReadingSettings(max_tokens=32, max_question_tokens=10, stride=5), special_tokens=2)
    assert windows.row.tolist() == [0, 0, 1, 1, 2]
    assert windows.start.tolist() == [0, 21, 0, 15, 0]
    assert windows.stop.tolist() == [26, 30, 20, 30, 5]


@pytest.mark.parametrize("code", range(len(REASONS)))
def test_a_row_with_a_reason_has_no_window(code: int) -> None:
    rows = encoded_rows([[1]], [[2, 2]], [(0, 0, NO_REASON), (0, 0, code), (0, 0, NO_REASON)])
    assert rows.windows(ReadingSettings(), special_tokens=3).row.tolist() == [0, 2]


def test_a_row_with_a_reason_may_have_a_question_that_fills_the_window() -> None:
    rows = encoded_rows([[1] * 64], [[2]], [(0, 0, REASONS.index("context_too_long"))])
    assert len(replace(rows).windows(ReadingSettings(max_tokens=66, stride=0), special_tokens=3)) == 0


@given(some_rows(), st.data())
def test_taken_rows_hold_and_are_cut_as_what_they_were(rows: EncodedRows, data: st.DataObject) -> None:
    picked = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=6)) if len(rows) else []
    taken = rows.take(numbers(picked))
    before = contents(rows)
    assert contents(taken) == [before[row] for row in picked]
    assert cut(taken) == [cut(rows)[row] for row in picked]
    assert {name: values.dtype for name, values in taken.arrays().items()} == {
        name: values.dtype for name, values in rows.arrays().items()
    }


@given(some_rows(), st.data())
def test_taken_rows_leave_no_other_text_behind_and_hold_each_once(rows: EncodedRows, data: st.DataObject) -> None:
    picked = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=6)) if len(rows) else []
    taken = rows.take(numbers(picked))
    assert len(taken.question_offsets) - 1 == len(set(rows.question_R[picked].tolist()) if picked else set())
    assert len(taken.context_offsets) - 1 == len(set(rows.context_R[picked].tolist()) if picked else set())
    for offsets_of, flat_of in [
        (taken.question_offsets, taken.question_ids),
        (taken.context_offsets, taken.context_ids),
        (taken.context_offsets, taken.context_start),
        (taken.context_offsets, taken.context_end),
    ]:
        assert offsets_of[0] == 0
        assert offsets_of[-1] == len(flat_of)


@given(some_rows())
def test_rows_are_alike_that_ask_the_same_of_the_same_and_can_be_scored(rows: EncodedRows) -> None:
    pairs = list(zip(rows.question_R.tolist(), rows.context_R.tolist(), rows.reason_R.tolist(), strict=True))
    expected = [at if pair[2] != NO_REASON else pairs.index(pair) for at, pair in enumerate(pairs)]
    assert rows.first_alike().tolist() == expected
    assert rows.duplicates == len(pairs) - len(set(expected))


@given(some_rows(), st.data())
def test_rows_alone_are_those_rows_with_nothing_copied(rows: EncodedRows, data: st.DataObject) -> None:
    picked = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=6)) if len(rows) else []
    alone = rows.only(numbers(picked))
    assert contents(alone) == [contents(rows)[row] for row in picked]
    assert cut(alone) == [cut(rows)[row] for row in picked]
    assert alone.context_ids is rows.context_ids


@given(some_rows(), st.lists(st.integers(0, 5), max_size=4))
def test_rows_that_were_parted_are_joined_to_what_they_were(rows: EncodedRows, borders: list[int]) -> None:
    at = [0, *sorted(min(border, len(rows)) for border in borders), len(rows)]
    parts = [rows.take(np.arange(first, last)) for first, last in pairwise(at)]
    joined = join_rows(parts)
    assert contents(joined) == contents(rows)
    assert cut(joined) == cut(rows)


@given(st.lists(some_rows(), min_size=1, max_size=3))
def test_joined_rows_are_the_rows_of_all_parts_in_order(parts: list[EncodedRows]) -> None:
    assert contents(join_rows(parts)) == [row for part in parts for row in contents(part)]


@given(st.lists(st.lists(st.integers(), max_size=4), max_size=6), st.data())
def test_positions_pick_whole_lists_from_a_flat_array(lists: list[list[int]], data: st.DataObject) -> None:
    which = data.draw(st.lists(st.integers(0, len(lists) - 1), max_size=8)) if lists else []
    values = flat(lists)
    picked = positions_of(numbers(offsets(lists)), numbers(which))
    assert [values[at] for at in picked] == flat([lists[number] for number in which])


def test_arrays_of_any_lengths_and_types_travel_with_their_metadata() -> None:
    arrays: dict[str, Ints] = {"a": np.arange(3), "b": np.array([], dtype=np.int8), "c": np.array([7], dtype=np.uint16)}
    value = arrays_to_ipc(arrays, {b"key": b"\x00value"})
    back = arrays_from_ipc(value)
    assert {name: (values.dtype, values.tolist()) for name, values in back.items()} == {
        name: (values.dtype, values.tolist()) for name, values in arrays.items()
    }
    with pa.ipc.open_stream(value) as reader:
        assert reader.schema.metadata == {b"key": b"\x00value"}
