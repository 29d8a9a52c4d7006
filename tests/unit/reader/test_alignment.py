from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_qa.reader.alignment import Drop, LocatedAnswer, TokenRun, align_to_tokens, locate_answer

few_letters = st.text("ab \n\u3000é🙂", max_size=12)
ranges = st.lists(st.tuples(st.integers(0, 15), st.integers(0, 4)), max_size=8)


def places(context: str, text: str) -> list[int]:
    return [at for at in range(len(context) + 1) if context[at : at + len(text)] == text]


def run_of(char_ranges: list[tuple[int, int]], start: int, end: int) -> TokenRun | None:
    starts, ends = (np.array([char_range[side] for char_range in char_ranges], dtype=np.int32) for side in (0, 1))
    return align_to_tokens(starts, ends, LocatedAnswer(start=start, end=end))


@given(few_letters, few_letters, st.none() | st.integers(-3, 14))
def test_an_answer_lies_where_it_is_stated_or_else_at_its_only_place(
    context: str, text: str, start: int | None
) -> None:
    found = locate_answer(context, text, start)
    everywhere = places(context, text) or places(context, text.strip())
    if not text.strip():
        assert found == "answer_empty"
    elif start in places(context, text) or len(everywhere) == 1:
        assert isinstance(found, LocatedAnswer)
        stated = start in places(context, text)
        at = start if start is not None and stated else everywhere[0]
        assert context[found.start : found.end] == text.strip()
        assert at <= found.start < found.end <= at + len(text)
        assert found.repaired == (not stated)
        assert found.trimmed == (text != text.strip())
    else:
        assert found == ("answer_ambiguous" if everywhere else "answer_not_found")


@given(st.data())
def test_an_answer_that_was_cut_from_its_context_is_always_found(data: st.DataObject) -> None:
    context = data.draw(few_letters.filter(str.strip))
    start = data.draw(st.integers(0, len(context) - 1))
    end = data.draw(st.integers(start + 1, len(context)))
    found = locate_answer(context, context[start:end], start)
    if context[start:end].strip():
        assert isinstance(found, LocatedAnswer)
        assert not found.repaired
        assert context[start : found.start].strip() == context[found.end : end].strip() == ""


@pytest.mark.parametrize(
    ("context", "text", "start", "found"),
    [
        ("In Köln, in Köln", "Köln", 12, LocatedAnswer(start=12, end=16)),
        ("🙂🙂 Köln", "Köln", 3, LocatedAnswer(start=3, end=7)),
        ("🙂🙂 Köln", "Köln", 5, LocatedAnswer(start=3, end=7, repaired=True)),
        ("in  Köln ", " Köln ", 3, LocatedAnswer(start=4, end=8, trimmed=True)),
        ("in  Köln ", " Köln ", 0, LocatedAnswer(start=4, end=8, trimmed=True, repaired=True)),
        ("In Köln", "Köln ", 3, LocatedAnswer(start=3, end=7, trimmed=True, repaired=True)),
        ("In Köln, in Köln", "Köln", -4, "answer_ambiguous"),
        ("In Köln", "Köln", -4, LocatedAnswer(start=3, end=7, repaired=True)),
        ("aaa", "aa", 2, "answer_ambiguous"),
        ("In Köln", "köln", 3, "answer_not_found"),
        ("In Köln", " \n", 2, "answer_empty"),
        ("", "Köln", 0, "answer_not_found"),
    ],
)
def test_answers_are_placed_in_code_points(context: str, text: str, start: int, found: LocatedAnswer | Drop) -> None:
    assert locate_answer(context, text, start) == found


@given(ranges, st.integers(0, 15), st.integers(1, 6))
def test_a_run_is_the_smallest_that_holds_every_token_which_shares_a_character(
    tokens: list[tuple[int, int]], start: int, length: int
) -> None:
    char_ranges = [(at, at + width) for at, width in sorted(tokens)]
    characters = set(range(start, start + length))
    sharing = {number for number, char_range in enumerate(char_ranges) if characters & set(range(*char_range))}
    holding = [
        (last - first, first, last)
        for last in range(len(char_ranges))
        for first in range(last + 1)
        if sharing <= set(range(first, last + 1))
    ]
    run = run_of(char_ranges, start, start + length)
    if not sharing:
        assert run is None
    else:
        _, first, last = min(holding)
        aligned = char_ranges[first][0] == start and char_ranges[last][1] == start + length
        assert run == TokenRun(first=first, last=last, aligned=aligned)


def test_a_token_without_characters_covers_nothing_but_may_lie_within_a_run() -> None:
    tokens = [(0, 2), (3, 3), (3, 5), (5, 5), (5, 8), (8, 8)]
    assert run_of(tokens, 3, 8) == TokenRun(first=2, last=4, aligned=True)
    assert run_of(tokens, 2, 3) is None
    assert run_of([], 0, 1) is None


def test_an_answer_that_ends_within_a_token_is_not_aligned() -> None:
    tokens = [(0, 4), (5, 9)]
    assert run_of(tokens, 0, 9) == TokenRun(first=0, last=1, aligned=True)
    assert run_of(tokens, 0, 8) == TokenRun(first=0, last=1, aligned=False)
    assert run_of(tokens, 1, 9) == TokenRun(first=0, last=1, aligned=False)


def test_all_tokens_of_one_character_are_covered() -> None:
    assert run_of([(0, 1), (1, 2), (1, 2), (1, 2), (2, 3)], 1, 2) == TokenRun(first=1, last=3, aligned=True)
