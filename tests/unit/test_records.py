from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from ray_qa.reader.answers import failed
from ray_qa.records import Row, Span


def test_a_spans_score_is_the_sum_of_its_two() -> None:
    assert Span(text="a", start=0, end=1, start_score=1.5, end_score=-4.0).score == -2.5


@pytest.mark.parametrize("record", [Row(question="q", context=None), failed("not_finite")])
def test_records_are_frozen(record: object) -> None:
    name = next(iter(record.__slots__))  # type: ignore[attr-defined]  # mypy does not know the slots of a dataclass
    with pytest.raises(FrozenInstanceError):
        setattr(record, name, 1)
