from __future__ import annotations

import pytest

from ray_qa.errors import InputError
from ray_qa.finetuning.label_counts import LabelCounts, check_usable


def counts(lost: int, **others: int) -> LabelCounts:
    return LabelCounts(
        rows=100,
        answerable=100 - lost,
        dropped_rows={"no_usable_answer": lost},
        dropped_answers={"answer_not_found": lost},
        **others,
    )


def test_rows_that_lose_all_their_answers_are_refused_above_the_share_that_may_be_dropped() -> None:
    check_usable(counts(5), 0.05)
    with pytest.raises(InputError) as refused:
        check_usable(counts(6, misplaced=6, utf16_units=6), 0.05)
    assert str(refused.value) == (
        "`train` must have answers that lie in their contexts in all but 5% of its rows (`max_dropped`), but 6 of 100 "
        "lose all of theirs (6 answer_not_found); answer_start must count characters, but seems to count UTF-16 code "
        "units"
    )
    check_usable(counts(99), 1.0)


def test_rows_without_any_answer_that_can_be_used_are_refused_whatever_may_be_dropped() -> None:
    with pytest.raises(InputError, match=r"none of 100 has one \(dropped: 100 answer_not_found\)$"):
        check_usable(counts(100), 1.0)


def test_what_places_seem_to_count_is_named_where_most_of_the_misplaced_agree() -> None:
    assert counts(9, misplaced=9, utf8_bytes=5, utf16_units=4).other_unit == "UTF-8 bytes"
    assert counts(9, misplaced=10, utf8_bytes=5).other_unit is None
    assert counts(0).other_unit is None
