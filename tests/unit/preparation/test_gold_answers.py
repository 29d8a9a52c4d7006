from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_qa.data.answer_columns import RowAnswers
from ray_qa.data.offset_units import OffsetUnit
from ray_qa.preparation.gold_answers import CheckedAnswers, Fault, check_answers
from tests.unit.preparation.files import CHARACTERS, CONTEXTS, ENCODINGS, counted_in

UNITS = st.sampled_from(list(ENCODINGS))


def check(
    context: str | None, *answers: tuple[str | None, float | None], unit: OffsetUnit = "code_points"
) -> CheckedAnswers | Fault:
    return check_answers(
        context, RowAnswers(texts=[text for text, _ in answers], places=[place for _, place in answers]), unit
    )


@given(context=CONTEXTS, text=st.text(CHARACTERS, max_size=3), place=st.integers(-3, 130), unit=UNITS)
def test_an_answer_is_where_it_says_or_where_it_is_alone_or_its_row_is_set_apart(
    context: str, text: str, place: int, unit: OffsetUnit
) -> None:
    places = [at for at in range(len(context)) if context[at : at + len(text)] == text]
    stated = [at for at in places if counted_in(context, at, unit) == place]
    found = check(context, (text, place), unit=unit)
    if not text.strip():
        assert found == "answer_empty"
    elif stated:
        assert found == CheckedAnswers(places=(stated[0],), converted=stated[0] != place)
    elif len(places) == 1:
        assert found == CheckedAnswers(places=(places[0],), repaired=1)
    else:
        assert found == ("answer_ambiguous" if places else "answer_not_in_context")


def test_what_differs_in_white_space_alone_is_not_guessed() -> None:
    assert check("the  red dog", ("the red", 0)) == "answer_not_in_context"
    assert check("the red dog", ("red ", 3)) == CheckedAnswers(places=(4,), repaired=1)
    assert check("the red dog", ("dog ", 8)) == "answer_not_in_context"


def test_places_may_be_unknown_and_floating_point_numbers() -> None:
    assert check("a b", ("b", None), ("b", math.nan), ("b", 2.0)) == CheckedAnswers(places=(2, 2, 2), repaired=2)


@pytest.mark.parametrize("place", [0.5, math.inf, -math.inf])
def test_places_that_are_no_whole_numbers_are_malformed(place: float) -> None:
    assert check("a b", ("a", place)) == "answers_malformed"


@pytest.mark.parametrize(
    ("answers", "found"),
    [
        (RowAnswers(texts=None, places=None), CheckedAnswers(places=None)),
        (RowAnswers(texts=[], places=[]), CheckedAnswers(places=())),
        (RowAnswers(texts=["a"], places=None), "answers_malformed"),
        (RowAnswers(texts=None, places=[0]), "answers_malformed"),
        (RowAnswers(texts=["a"], places=[0, 1]), "answers_malformed"),
        (RowAnswers(texts=[None], places=[0]), "answers_malformed"),
        (RowAnswers(texts=["\udcff"], places=[0]), "answers_malformed"),
    ],
)
def test_a_row_has_as_many_texts_as_places_or_none_at_all(answers: RowAnswers, found: CheckedAnswers | Fault) -> None:
    assert check_answers("a", answers, "code_points") == found


def test_answers_need_a_context_to_be_checked_in() -> None:
    assert check(None, ("a", 0)) == "context_missing"
    assert check("a\udcff", ("a", 0)) == "context_not_unicode"
    assert check(None) == CheckedAnswers(places=())


def test_the_first_answer_that_cannot_be_used_says_why() -> None:
    assert check("a b a", ("b", 2), ("a", 1), ("c", 0)) == "answer_ambiguous"
