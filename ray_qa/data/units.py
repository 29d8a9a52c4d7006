"""The planning arithmetic: which rows are read, scored and committed together."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

UNIT_BYTES = 64 * 1024 * 1024
FEWEST_ROWS, MOST_ROWS, MOST_TEXT = 128, 2_048, 4 * 1024 * 1024
"""Bounds of the automatic unit: rows enough for little padding, few enough that a CPU commits every few minutes."""
WANTED_UNITS, MOST_UNITS = 64, 10_000
UNITS_A_TASK = 16
UNITS_A_REPLICA, SHORTEST, SHORTEST_TEXT = 4, 32, 32 * 1024
"""A short corpus is cut smaller, down to so many rows or so much text, that no replica stands idle long while another
ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowGroup:
    """A row group of an input file, by number, with its rows and the bytes of its question and context text; or a run
    of its rows, where a part of the corpus is taken."""

    file: int
    row_group: int
    rows: int
    text_bytes: int
    first_row: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A run of rows of one row group."""

    file: int
    row_group: int
    first_row: int
    rows: int

    @property
    def numbers(self) -> range:
        """The numbers of its rows in the row group."""
        return range(self.first_row, self.first_row + self.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """Rows that come out as one part: a slice of a row group, or a run of small ones."""

    number: int
    pieces: tuple[Piece, ...]

    @property
    def rows(self) -> int:
        """Rows of the unit."""
        return sum(piece.rows for piece in self.pieces)


def auto_unit_rows(rows: int, text_bytes: int, replicas: int = 1) -> int:
    """Rows a unit for a corpus of ``rows`` with ``text_bytes`` of text.

    At least some 64 units of at most ``MOST_ROWS`` rows and ``MOST_TEXT`` bytes each, but not above 10,000 units; and
    for short corpora four a replica.
    """
    in_most_text = max(1, MOST_TEXT * rows // max(1, text_bytes))
    shortest = min(SHORTEST, max(1, SHORTEST_TEXT * rows // max(1, text_bytes)))
    shared_out = max(shortest, -(-rows // (UNITS_A_REPLICA * replicas)))
    wanted = min(MOST_ROWS, in_most_text, shared_out, max(FEWEST_ROWS, -(-rows // WANTED_UNITS)))
    return max(wanted, -(-rows // MOST_UNITS))


def plan_units(row_groups: Sequence[RowGroup], unit_rows: int, unit_bytes: int = UNIT_BYTES) -> list[Unit]:
    """Split the input, in order, into units of at most ``unit_rows`` rows and about ``unit_bytes`` bytes of text.

    A row group over either limit is sliced evenly; smaller ones are run together. Bytes are those the files' footers
    state, which are less than the text's own where pages are dictionary-encoded.
    """
    return [
        Unit(number=number, pieces=pieces) for number, pieces in enumerate(_runs(row_groups, unit_rows, unit_bytes))
    ]


def reading_blocks(units: Sequence[Unit], most: int = 2_000, most_per_row_group: int = 16) -> list[list[int]]:
    """Share out the positions of ``units`` among reading tasks, in order and evenly.

    Many small tasks let encoding keep just ahead of scoring. But one that begins inside a row group has to decode the
    rows before its own, so a big row group is shared by few. There are more than ``most`` where each would have many
    units: a task that is lost with its node is done again from its beginning.
    """
    row_groups = {(piece.file, piece.row_group) for unit in units for piece in unit.pieces}
    wanted = max(most, -(-len(units) // UNITS_A_TASK))
    count = min(len(units), wanted, most_per_row_group * len(row_groups))
    bounds = [len(units) * nth // count for nth in range(count + 1)]
    return [list(range(first, stop)) for first, stop in itertools.pairwise(bounds)]


def _runs(row_groups: Sequence[RowGroup], unit_rows: int, unit_bytes: int) -> Iterator[tuple[Piece, ...]]:
    run: list[Piece] = []
    run_rows = run_bytes = 0
    for group in row_groups:
        fits_in = max(-(-group.rows // unit_rows), -(-group.text_bytes // unit_bytes))
        is_full = run_rows + group.rows > unit_rows or run_bytes + group.text_bytes > unit_bytes
        if run and (fits_in > 1 or is_full):
            yield tuple(run)
            run, run_rows, run_bytes = [], 0, 0
        if fits_in > 1:
            for piece in _slices(group, min(fits_in, group.rows)):
                yield (piece,)
        elif group.rows:
            run.append(_piece(group, 0, group.rows))
            run_rows, run_bytes = run_rows + group.rows, run_bytes + group.text_bytes
    if run:
        yield tuple(run)


def _slices(group: RowGroup, count: int) -> Iterator[Piece]:
    bounds = [group.rows * nth // count for nth in range(count + 1)]
    for first, stop in itertools.pairwise(bounds):
        yield _piece(group, first, stop)


def _piece(group: RowGroup, first: int, stop: int) -> Piece:
    """Rows ``first`` to ``stop`` of those of ``group``."""
    return Piece(file=group.file, row_group=group.row_group, first_row=group.first_row + first, rows=stop - first)
