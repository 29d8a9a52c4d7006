"""A part of a corpus instead of all of it: its first rows, or some that are drawn; in input order either way."""

from __future__ import annotations

import itertools
import random
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ray_qa.data.units import RowGroup


@dataclass(frozen=True, slots=True, kw_only=True)
class RowChoice:
    """Which rows are taken: of the first ``limit`` of the corpus, or of all, ``sample`` that are drawn, or all."""

    limit: int | None = None
    sample: int | None = None
    seed: int = 0
    """Of the draw, which is without replacement."""

    def of(self, row_groups: Sequence[RowGroup]) -> list[RowGroup]:
        """The row groups of a corpus, cut to the rows that are taken; each with its share of the text."""
        chosen = list(row_groups) if self.limit is None else list(_first(row_groups, self.limit))
        rows = sum(group.rows for group in chosen)
        if self.sample is None or self.sample >= rows:
            return chosen
        return list(_runs(chosen, sorted(random.Random(self.seed).sample(range(rows), self.sample))))

    def in_words(self, rows: int, taken: int) -> str:
        """What part ``taken`` rows are of the ``rows`` that there are to choose from; nothing if it is all.

        Of what is no Parquet no more than ``limit`` rows are read, so how many there are beyond is not known.
        """
        within = self.limit if self.limit is not None and self.limit <= rows else None
        if self.sample is not None and taken == self.sample < (within or rows):
            among = f"{rows:,} rows" if within is None else f"the first {within:,} rows"
            return f"{taken:,} of {among}, drawn with the seed {self.seed}"
        return "" if within is None else f"the first {within:,} rows"


def _first(row_groups: Sequence[RowGroup], rows: int) -> Iterator[RowGroup]:
    for group in row_groups:
        if rows <= 0:
            return
        yield _run(group, 0, min(rows, group.rows))
        rows -= group.rows


def _runs(row_groups: Sequence[RowGroup], numbers: Sequence[int]) -> Iterator[RowGroup]:
    """The rows of these numbers, ascending, counted over all row groups: a run for rows that follow each other."""
    ends = itertools.accumulate(group.rows for group in row_groups)
    at = 0
    for group, end in zip(row_groups, ends, strict=True):
        stop = bisect_left(numbers, end, lo=at)
        while at < stop:
            first = at
            at += 1
            while at < stop and numbers[at] == numbers[at - 1] + 1:
                at += 1
            yield _run(group, numbers[first] - (end - group.rows), at - first)


def _run(group: RowGroup, first: int, rows: int) -> RowGroup:
    share = -(-group.text_bytes * rows // max(1, group.rows))
    return replace(group, first_row=group.first_row + first, rows=rows, text_bytes=share)
