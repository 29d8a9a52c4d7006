"""How a unit that kills its workers is told from others, and the rows in it that do."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_qa.annotation.attempts import (
    MOST_ATTEMPTS,
    Span,
    begin_span,
    begin_unit,
    end_unit,
    forget_attempts,
    has_killed_too_many,
    spans_to_try,
)
from ray_qa.storage import places


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "out"


def test_the_nodes_of_all_attempts_at_a_unit_are_known_until_its_part_is_there(folder: Path) -> None:
    assert [sorted(begin_unit(folder, 1, node).nodes) for node in "aba"] == [[], ["a"], ["a", "b"]]
    assert begin_unit(folder, 11, "a").nodes == ()
    end_unit(begin_unit(folder, 1, "c"))
    assert begin_unit(folder, 1, "c").nodes == ()
    assert begin_unit(folder, 11, "").nodes == ("a",)
    forget_attempts(folder)
    assert begin_unit(folder, 11, "a").nodes == ()
    forget_attempts(folder)
    forget_attempts(folder)


def test_a_unit_has_killed_too_many_when_their_nodes_are_still_there(folder: Path) -> None:
    for node in "abb":
        begin_unit(folder, 1, node)
    attempts = begin_unit(folder, 1, "a")
    assert MOST_ATTEMPTS == 3
    assert has_killed_too_many(attempts, {"a", "b"})
    assert not has_killed_too_many(attempts, {"b"})


def test_spans_that_have_killed_are_split_and_the_others_are_tried_as_they_were(folder: Path) -> None:
    begin_span(folder, 1, Span(8, 16), "a")
    begin_span(folder, 1, Span(9, 10), "a")
    begin_span(folder, 1, Span(0, 8), "a node that is gone")
    tried = spans_to_try(64, begin_unit(folder, 1, "a"), {"a"})
    one_by_one = [Span(row, row + 1) for row in (8, *range(10, 16))]
    assert tried == [Span(0, 8), *one_by_one, *(Span(row, row + 8) for row in range(16, 64, 8))]


@given(rows=st.integers(1, 3_000), lethal=st.sets(st.integers(0, 2_999), max_size=3))
def test_whatever_rows_kill_all_others_are_scored_after_few_deaths(
    tmp_path_factory: pytest.TempPathFactory, rows: int, lethal: set[int]
) -> None:
    folder = tmp_path_factory.mktemp("out")
    lethal = {row for row in lethal if row < rows}
    for _ in range(MOST_ATTEMPTS):
        begin_unit(folder, 0, "a")
    deaths = 0
    while True:
        scored: list[int] = []
        attempts = begin_unit(folder, 0, "a")
        for span in spans_to_try(rows, attempts, {"a"}):
            mark = begin_span(folder, 0, span, "a")
            if lethal & set(range(span.first, span.stop)):
                deaths += 1
                break
            scored += range(span.first, span.stop)
            places.delete([mark])
        else:
            end_unit(attempts)
            break
    assert scored == [row for row in range(rows) if row not in lethal and rows > 1]
    assert deaths <= 4 * len(lethal)
    assert places.names_in(folder / ".ray_qa" / "attempts") == []
