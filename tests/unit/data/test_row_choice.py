from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_qa.data.row_choice import RowChoice
from ray_qa.data.row_groups import Source, read_units
from ray_qa.data.units import RowGroup, plan_units

ROWS = st.lists(st.lists(st.integers(0, 9), max_size=4), min_size=1, max_size=3)
"""Of each row group of each file."""
choices = st.builds(
    RowChoice,
    limit=st.none() | st.integers(1, 60),
    sample=st.none() | st.integers(1, 60),
    seed=st.integers(0, 3),
)
Place = tuple[int, int, int]
"""A row: its file, its row group, its number in that."""


def corpus(rows: list[list[int]]) -> list[RowGroup]:
    return [
        RowGroup(file=file, row_group=number, rows=count, text_bytes=10 * count)
        for file, groups in enumerate(rows)
        for number, count in enumerate(groups)
    ]


def places(groups: list[RowGroup]) -> list[Place]:
    return [
        (group.file, group.row_group, row)
        for group in groups
        for row in range(group.first_row, group.first_row + group.rows)
    ]


@given(ROWS, choices)
def test_a_choice_is_what_a_list_of_all_rows_gives(rows: list[list[int]], choice: RowChoice) -> None:
    groups = corpus(rows)
    first = places(groups)[: choice.limit]
    taken = places(choice.of(groups))
    wanted = len(first) if choice.sample is None else min(choice.sample, len(first))
    assert len(taken) == wanted
    assert [row for row in first if row in set(taken)] == taken  # in input order, and none twice
    if choice.sample is None:
        assert taken == first
    assert sum(group.text_bytes for group in choice.of(groups)) == 10 * len(taken)


@given(ROWS, choices, st.integers(1, 8))
def test_units_hold_the_rows_that_were_chosen(rows: list[list[int]], choice: RowChoice, unit_rows: int) -> None:
    chosen = choice.of(corpus(rows))
    units = plan_units(chosen, unit_rows)
    pieces = [piece for unit in units for piece in unit.pieces]
    found = [
        (piece.file, piece.row_group, row)
        for piece in pieces
        for row in range(piece.first_row, piece.first_row + piece.rows)
    ]
    assert found == places(chosen)
    assert all(unit.rows <= unit_rows for unit in units)


def test_the_same_seed_draws_the_same_rows_whatever_the_row_groups_are() -> None:
    def numbers(rows: list[int], seed: int) -> list[int]:
        ends = [sum(rows[: number + 1]) for number in range(len(rows))]
        taken = places(RowChoice(sample=20, seed=seed).of(corpus([rows])))
        return [ends[group] - rows[group] + row for _, group, row in taken]

    drawn = numbers([1_000], 0)
    assert drawn == numbers([1_000], 0) == numbers([1, 0, 499, 500], 0)
    assert drawn != numbers([1_000], 1)
    assert drawn != list(range(20))


def test_every_row_is_as_likely_to_be_drawn() -> None:
    groups = corpus([[4, 2], [4]])
    times = [0] * 10
    for seed in range(4_000):
        for file, group, row in places(RowChoice(sample=3, seed=seed).of(groups)):
            times[{(0, 0): 0, (0, 1): 4, (1, 0): 6}[file, group] + row] += 1
    # Each is drawn 1,200 times in the mean, with a deviation of 29.
    assert min(times) > 1_200 - 5 * 29
    assert max(times) < 1_200 + 5 * 29


@pytest.mark.parametrize(
    ("choice", "rows", "taken", "words"),
    [
        (RowChoice(), 2_000, 2_000, ""),
        (RowChoice(limit=3_000), 2_000, 2_000, ""),
        (RowChoice(limit=1_000), 2_000, 1_000, "the first 1,000 rows"),
        (RowChoice(limit=1_000), 1_000, 1_000, "the first 1,000 rows"),  # of what is no Parquet no more were read
        (RowChoice(sample=100, seed=7), 2_000, 100, "100 of 2,000 rows, drawn with the seed 7"),
        (RowChoice(sample=2_000), 2_000, 2_000, ""),
        (RowChoice(sample=9_000), 2_000, 2_000, ""),
        (RowChoice(limit=1_000, sample=10), 2_000, 10, "10 of the first 1,000 rows, drawn with the seed 0"),
        (RowChoice(limit=1_000, sample=1_000), 2_000, 1_000, "the first 1,000 rows"),
        (RowChoice(limit=9_000, sample=10), 2_000, 10, "10 of 2,000 rows, drawn with the seed 0"),
    ],
)
def test_a_part_is_told_in_words_and_the_whole_is_not(choice: RowChoice, rows: int, taken: int, words: str) -> None:
    assert choice.in_words(rows=rows, taken=taken) == words


def test_a_sample_holds_no_more_in_memory_than_its_own_rows(tmp_path: Path) -> None:
    path = str(tmp_path / "rows.parquet")
    text = "x" * 1_000
    pq.write_table(pa.table({"text": [f"{number} {text}" for number in range(20_000)]}), path, row_group_size=5_000)
    groups = [RowGroup(file=0, row_group=number, rows=5_000, text_bytes=0) for number in range(4)]
    units = plan_units(RowChoice(sample=40).of(groups), 100)
    before = pa.total_allocated_bytes()
    (table,) = read_units([Source(path=path)], units, pa.schema([("text", pa.string())]))
    assert table.num_rows == 40
    assert pa.total_allocated_bytes() - before < 1_000_000
