from __future__ import annotations

from dataclasses import FrozenInstanceError, fields, replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_qa.reader.answers import failed
from ray_qa.records import Answer, Counts, Row, RunSummary, Span, Status, count_answers

answers = st.lists(
    st.builds(
        Answer,
        status=st.sampled_from(get_args(Status)),
        windows=st.integers(0, 9),
        question_cut=st.booleans(),
    )
)


@given(answers, answers)
def test_counts_of_two_units_add_up_to_the_counts_of_both(first: list[Answer], second: list[Answer]) -> None:
    both = count_answers(first + second)
    assert count_answers(first) + count_answers(second) == both
    assert both.rows == len(first) + len(second)
    assert both.reconcile


def test_answers_are_counted_by_what_became_of_them() -> None:
    rows = [Answer(status="answered", windows=3), Answer(status="no_answer", windows=2, question_cut=True)]
    assert count_answers([*rows, failed("not_finite", windows=1), failed("context_empty")]) == Counts(
        rows=4, answered=1, no_answer=1, failed=2, questions_cut=1, windows=6
    )


@pytest.mark.parametrize("name", ["rows", "answered", "no_answer", "failed"])
def test_counts_that_lose_or_invent_a_row_do_not_reconcile(name: str) -> None:
    counts = Counts(rows=6, answered=1, no_answer=2, failed=3)
    assert counts.reconcile
    assert not replace(counts, **{name: getattr(counts, name) + 1}).reconcile


def test_no_answers_count_as_nothing() -> None:
    assert count_answers([]) == Counts() == Counts(**dict.fromkeys(Counts.__slots__, 0))


def test_every_count_is_added() -> None:
    names = [field.name for field in fields(Counts)]
    ones = Counts(**dict.fromkeys(names, 1))
    assert ones + ones == Counts(**dict.fromkeys(names, 2))
    assert sum([ones] * 3, start=Counts()) == Counts(**dict.fromkeys(names, 3))


def test_a_spans_score_is_the_sum_of_its_two() -> None:
    assert Span(text="a", start=0, end=1, start_score=1.5, end_score=-4.0).score == -2.5


def test_rows_per_second_are_of_this_run_alone() -> None:
    summary = RunSummary(
        output="out", counts=Counts(rows=900), units=9, scored_rows=100, start_seconds=5.0, run_seconds=4.0
    )
    assert summary.rows_per_second == 25.0
    assert replace(summary, run_seconds=0.5).rows_per_second == 200.0
    assert replace(summary, scored_rows=0, run_seconds=0.0).rows_per_second == 0.0


@pytest.mark.parametrize("record", [Row(question="q", context=None), failed("not_finite"), Counts()])
def test_records_are_frozen(record: object) -> None:
    name = next(iter(record.__slots__))  # type: ignore[attr-defined]  # mypy does not know the slots of a dataclass
    with pytest.raises(FrozenInstanceError):
        setattr(record, name, 1)
