from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_qa.data.units import MOST_TEXT, MOST_UNITS, Piece, RowGroup, Unit, auto_unit_rows, plan_units, reading_blocks

sizes = st.tuples(st.integers(1, 60), st.integers(0, 400)) | st.just((0, 0))


@st.composite
def corpora(draw: st.DrawFn) -> list[RowGroup]:
    files = draw(st.lists(st.lists(sizes, max_size=5), max_size=4))
    return [
        RowGroup(file=file, row_group=number, rows=rows, text_bytes=text_bytes)
        for file, groups in enumerate(files)
        for number, (rows, text_bytes) in enumerate(groups)
    ]


def rows_of(units: list[Unit]) -> list[tuple[int, int, int]]:
    return [
        (piece.file, piece.row_group, row)
        for unit in units
        for piece in unit.pieces
        for row in range(piece.first_row, piece.first_row + piece.rows)
    ]


def groups(*rows: int, text_bytes: int = 0) -> list[RowGroup]:
    return [RowGroup(file=0, row_group=nth, rows=count, text_bytes=text_bytes) for nth, count in enumerate(rows)]


def piece(row_group: int, first_row: int, rows: int) -> Piece:
    return Piece(file=0, row_group=row_group, first_row=first_row, rows=rows)


@given(corpora(), st.integers(1, 30), st.integers(1, 300))
def test_every_row_is_in_exactly_one_unit_in_input_order(corpus: list[RowGroup], rows: int, text_bytes: int) -> None:
    units = plan_units(corpus, rows, text_bytes)
    wanted = [(group.file, group.row_group, row) for group in corpus for row in range(group.rows)]
    assert rows_of(units) == wanted
    assert [unit.number for unit in units] == list(range(len(units)))


@given(corpora(), st.integers(1, 30))
def test_no_unit_is_empty_or_has_more_rows_than_wanted(corpus: list[RowGroup], unit_rows: int) -> None:
    for unit in plan_units(corpus, unit_rows):
        assert 0 < unit.rows <= unit_rows
        assert unit.rows == sum(piece.rows for piece in unit.pieces)
        assert all(piece.rows > 0 for piece in unit.pieces)


@given(corpora(), st.integers(20, 200))
def test_units_keep_to_the_bytes_where_rows_are_alike(corpus: list[RowGroup], unit_bytes: int) -> None:
    bytes_of = {(group.file, group.row_group): group for group in corpus}
    for unit in plan_units(corpus, 1_000, unit_bytes):
        owners = [bytes_of[piece.file, piece.row_group] for piece in unit.pieces]
        estimate = sum(
            piece.rows * owner.text_bytes / owner.rows for piece, owner in zip(unit.pieces, owners, strict=True)
        )
        one_row = max(owner.text_bytes / owner.rows for owner in owners)
        assert estimate < unit_bytes + one_row


@given(corpora(), st.integers(1, 30))
def test_neighbours_that_fit_into_one_unit_are_in_one(corpus: list[RowGroup], unit_rows: int) -> None:
    small = [group for group in corpus if group.rows <= unit_rows]
    for unit, following in pairwise(plan_units(small, unit_rows, unit_bytes=10**9)):
        assert unit.rows + following.pieces[0].rows > unit_rows


def test_a_huge_row_group_is_sliced_evenly() -> None:
    units = plan_units(groups(10), unit_rows=4)
    assert [unit.pieces for unit in units] == [(piece(0, 0, 3),), (piece(0, 3, 3),), (piece(0, 6, 4),)]


def test_a_row_group_of_much_text_is_sliced_however_few_its_rows() -> None:
    assert [unit.rows for unit in plan_units(groups(10, text_bytes=500), 1_000, unit_bytes=100)] == [2] * 5
    assert [unit.rows for unit in plan_units(groups(2, text_bytes=500), 1_000, unit_bytes=100)] == [1, 1]


def test_row_groups_run_together_until_their_text_fills_a_unit() -> None:
    units = plan_units(groups(1, 1, 1, 1, 1, text_bytes=50), 1_000, unit_bytes=100)
    assert [unit.rows for unit in units] == [2, 2, 1]


def test_unless_told_otherwise_a_unit_has_at_most_64_mib_of_text() -> None:
    assert len(plan_units(groups(10, text_bytes=64 * 2**20), 1_000)) == 1
    assert len(plan_units(groups(10, text_bytes=64 * 2**20 + 1), 1_000)) == 2


def test_small_row_groups_run_together_and_empty_ones_leave_no_trace() -> None:
    units = plan_units(groups(2, 0, 2, 3, 9, 1, 0), unit_rows=5)
    assert [unit.pieces for unit in units] == [
        (piece(0, 0, 2), piece(2, 0, 2)),
        (piece(3, 0, 3),),
        (piece(4, 0, 4),),
        (piece(4, 4, 5),),
        (piece(5, 0, 1),),
    ]


def test_a_corpus_without_rows_has_no_units() -> None:
    assert plan_units(groups(0, 0), unit_rows=5) == plan_units([], unit_rows=5) == []


@given(st.integers(1, 10**9), st.integers(0, 10_000), st.integers(1, 300))
def test_automatic_units_are_many_but_not_too_many(rows: int, row_bytes: int, replicas: int) -> None:
    unit_rows = auto_unit_rows(rows, rows * row_bytes, replicas)
    units = -(-rows // unit_rows)
    assert units <= MOST_UNITS
    assert units >= 64 or unit_rows <= 128
    assert unit_rows <= max(32, -(-rows // (4 * replicas)), -(-rows // MOST_UNITS))
    fewer_would_do = -(-rows // (unit_rows - 1)) <= MOST_UNITS if unit_rows > 1 else False
    if fewer_would_do:
        assert unit_rows <= 2_048
        assert unit_rows * row_bytes <= MOST_TEXT


@pytest.mark.parametrize(
    ("rows", "row_bytes", "unit_rows"),
    [
        (1, 800, 32),
        (24, 20 * 1024, 6),
        (24, 200, 32),
        (100, 800, 32),
        (300, 800, 75),
        (4_000, 800, 128),
        (20_000, 800, 313),
        (1_000_000, 800, 2_048),
        (10**8, 800, 10_000),
        (20_000, 100 * 1024, 40),
        (10, 50 * 1024 * 1024, 1),
    ],
)
def test_automatic_units_grow_with_the_corpus_and_shrink_with_its_contexts(
    rows: int, row_bytes: int, unit_rows: int
) -> None:
    assert auto_unit_rows(rows, rows * row_bytes) == unit_rows


@given(corpora(), st.integers(1, 10), st.integers(1, 40), st.integers(1, 4))
def test_reading_blocks_partition_the_units_in_order_and_evenly(
    corpus: list[RowGroup], unit_rows: int, most: int, most_per_row_group: int
) -> None:
    units = plan_units(corpus, unit_rows)
    if not units:
        return
    blocks = reading_blocks(units, most, most_per_row_group)
    assert [position for block in blocks for position in block] == list(range(len(units)))
    sizes = {len(block) for block in blocks}
    assert max(sizes) - min(sizes) <= 1
    assert min(sizes) > 0
    assert len(blocks) <= max(most, -(-len(units) // 16))


def test_a_big_row_group_is_shared_by_few_reading_tasks() -> None:
    units = plan_units(groups(1_000, 1_000), unit_rows=10)
    assert len(reading_blocks(units, most_per_row_group=4)) == 8
    assert len(reading_blocks(units, most=15)) == 15
    assert len(reading_blocks(units[:5])) == 5
    assert len(reading_blocks(units)) == 32  # 16 a row group
    assert len(reading_blocks(plan_units(groups(*[3] * 3_000), unit_rows=3))) == 2_000


def test_reading_tasks_stay_short_in_a_huge_corpus() -> None:
    blocks = reading_blocks(plan_units(groups(*[3] * 48_000), unit_rows=3))
    assert {len(block) for block in blocks} == {16}


def test_short_corpora_are_shared_out_among_all_replicas() -> None:
    assert [auto_unit_rows(600, 0, replicas) for replicas in (1, 2, 4, 100)] == [128, 75, 38, 32]
