from __future__ import annotations

import pyarrow as pa
import pytest

from ray_qa.data.answer_columns import RowAnswers, are_answers, row_answers, with_places, with_types

LISTS = pa.struct([("text", pa.list_(pa.string())), ("answer_start", pa.list_(pa.int64()))])
PAIRS = pa.list_(pa.struct([("text", pa.string()), ("answer_start", pa.int64())]))
LISTED: list[object] = [
    {"text": ["a", "b"], "answer_start": [1, None]},
    None,
    {"text": None, "answer_start": [3]},
    {"text": [], "answer_start": []},
    {"text": ["c"], "answer_start": [9]},
]
PAIRED = [
    [{"text": "a", "answer_start": 1}, {"text": "b", "answer_start": None}],
    None,
    [],
    [{"text": "c", "answer_start": 9}],
]


def test_the_answers_of_each_row_are_found_in_slices_and_chunks_too() -> None:
    column = pa.chunked_array([pa.array(LISTED[:2], LISTS), pa.array(LISTED[2:], LISTS)])
    found = [
        RowAnswers(texts=["a", "b"], places=[1, None]),
        RowAnswers(texts=None, places=None),
        RowAnswers(texts=None, places=[3]),
        RowAnswers(texts=[], places=[]),
        RowAnswers(texts=["c"], places=[9]),
    ]
    assert row_answers(column) == found
    assert row_answers(column.slice(1)) == found[1:]
    pairs = pa.chunked_array([pa.array(PAIRED, PAIRS)])
    assert row_answers(pairs) == [found[0], found[1], found[3], found[4]]


def test_bytes_that_are_not_utf8_come_as_lone_surrogates() -> None:
    texts = pa.array([b"\xff"], pa.binary()).view(pa.string())
    answers = pa.StructArray.from_arrays(
        [pa.ListArray.from_arrays([0, 1], texts), pa.array([[0]])], names=["text", "answer_start"]
    )
    assert row_answers(pa.chunked_array([answers])) == [RowAnswers(texts=["\udcff"], places=[0])]


@pytest.mark.parametrize("number", [pa.int16(), pa.uint32(), pa.float32()])
def test_other_places_leave_all_else_as_it_was(number: pa.DataType) -> None:
    kind = pa.list_(pa.struct([("x", pa.string()), ("answer_start", number), ("text", pa.large_string())]))
    column = pa.chunked_array([pa.array([[{"x": "y", "text": "a", "answer_start": 1}], None, []], kind)] * 2)
    changed = with_places(column.slice(1), [None, (), (7,), None, ()])
    assert changed.type == kind
    assert changed.to_pylist() == [None, [], [{"x": "y", "text": "a", "answer_start": 7}], None, []]


def test_what_is_always_empty_gets_the_types_of_answers() -> None:
    nothing = pa.list_(pa.null())
    assert with_types(pa.struct([("text", nothing), ("answer_start", nothing)])) == LISTS
    assert with_types(pa.list_(pa.struct([("text", pa.null()), ("answer_start", pa.null())]))) == PAIRS
    assert with_types(LISTS) == LISTS


@pytest.mark.parametrize(
    "kind",
    [
        pa.string(),
        pa.list_(pa.string()),
        pa.struct([("text", pa.list_(pa.string()))]),
        pa.struct([("text", pa.string()), ("answer_start", pa.int64())]),
        pa.struct([("text", pa.list_(pa.string())), ("answer_start", pa.list_(pa.string()))]),
    ],
)
def test_what_has_not_texts_and_places_are_no_answers(kind: pa.DataType) -> None:
    assert not are_answers(kind)
    assert are_answers(LISTS)
    assert are_answers(PAIRS)
