from __future__ import annotations

from dataclasses import fields, replace
from typing import get_args

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_qa.config import ReadingSettings
from ray_qa.encoded import NO_REASON, REASONS, EncodedRows
from ray_qa.records import Reason


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
