from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_qa.annotation.probe import RUNS, RunOfRows, average_rows, runs_of_rows
from ray_qa.data.units import Piece, Unit

PIECES = st.lists(st.integers(1, 40), min_size=1, max_size=4)


def units_of(sizes: list[list[int]]) -> list[Unit]:
    return [
        Unit(
            number=number,
            pieces=tuple(
                Piece(file=number, row_group=nth, first_row=7 * nth, rows=rows) for nth, rows in enumerate(pieces)
            ),
        )
        for number, pieces in enumerate(sizes)
    ]


@given(st.lists(PIECES, min_size=1, max_size=20), st.integers(1, 300), st.integers(0, 5))
def test_runs_are_rows_of_the_plan_in_their_order_and_none_comes_twice(
    sizes: list[list[int]], wanted: int, seed: int
) -> None:
    units = units_of(sizes)
    there = [row for unit in units for row in rows_of(unit)]
    chosen = runs_of_rows(units, wanted, seed)
    found = [row for run in chosen for row in rows_of(run)]
    places = [there.index(row) for row in found]
    assert places == sorted(set(places))
    for run in chosen:
        own = [there.index(row) for row in rows_of(run)]
        assert own == list(range(own[0], own[0] + len(own)))
    if len(there) <= wanted:
        assert found == there
    else:
        assert 0 < len(found) <= wanted + RUNS
    assert runs_of_rows(units, wanted, seed) == chosen


def test_units_with_more_rows_are_drawn_more_often() -> None:
    units = units_of([[1]] * 8 + [[1_000]] * 8)
    drawn = Counter(run.pieces[0].file >= 8 for seed in range(50) for run in runs_of_rows(units, 64, seed))
    assert drawn[True] > 20 * drawn[False]


@pytest.mark.parametrize(("bytes_a_row", "sizes"), [(200.0, [16.0, 64.0]), (0.0, [32.0, 32.0])])
def test_long_rows_count_as_more_than_one(bytes_a_row: float, sizes: list[float]) -> None:
    nothing = RunOfRows(
        rows=32, text_bytes=0, seconds=1.0, encoding_seconds=0.0, windows=32, tokens=0, computed_tokens=0,
        repeated=0, cut_questions=0, failed=Counter(), most_windows=1, many_windows=0, bytes_out=0,
    )  # fmt: skip
    runs = [replace(nothing, text_bytes=3_200), replace(nothing, text_bytes=12_800)]
    assert average_rows(runs, bytes_a_row).tolist() == sizes
    assert average_rows([nothing], 200.0).tolist() == [32.0]


def rows_of(unit: Unit) -> list[tuple[int, int, int]]:
    return [
        (piece.file, piece.row_group, row)
        for piece in unit.pieces
        for row in range(piece.first_row, piece.first_row + piece.rows)
    ]
