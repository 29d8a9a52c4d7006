"""Where answers are right and where they fail: figures of the rows of each kind, with counts and intervals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ray_qa.judging.judged_rows import STATUSES, JudgedRows
from ray_qa.judging.traits import QUESTION_WORDS
from ray_qa.metrics.bootstrap import Interval, mean_interval

ALL = slice(None)
MOST_SHOWN = 20
"""Of the values of a column; what comes less often is put together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Exact match and F1 of some rows, in percent, with 95 % intervals over contexts."""

    rows: int
    exact: float
    exact_interval: Interval
    f1: float
    f1_interval: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Rows of one kind."""

    name: str
    figures: Figures


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakdown:
    """All rows, told apart by one trait."""

    by: str
    kinds: tuple[Kind, ...]


def figures(rows: JudgedRows, seed: int, chosen_N: npt.NDArray[np.bool_] | slice = ALL) -> Figures:
    """The figures of those rows, at least one, all of which count."""
    exact_N, f1_N, context_N = rows.exact_N[chosen_N], rows.f1_N[chosen_N], rows.context_N[chosen_N]

    def interval(values_N: npt.NDArray[Any]) -> Interval:
        found = mean_interval(values_N, context_N, seed=seed)
        return Interval(low=100 * found.low, high=100 * found.high)

    return Figures(
        rows=len(exact_N),
        exact=100 * float(exact_N.mean()),
        exact_interval=interval(exact_N),
        f1=100 * float(f1_N.mean()),
        f1_interval=interval(f1_N),
    )


def breakdowns(rows: JudgedRows, seed: int) -> tuple[Breakdown, ...]:
    """Figures by every trait that is known of rows; kinds without rows are left out."""
    parts = [
        *_by_bins("context characters", rows, rows.context_chars_N, (0, 500, 1_000, 2_000, 5_000, 20_000, 100_000)),
        *_by_bins("windows", rows, rows.windows_N, (1, 2, 3, 5, 9, 33)),
        *_by_bins("words of the gold answer", rows, rows.answer_words_N, (0, 1, 2, 3, 6, 11)),
        _by_codes("question word", rows.question_word_N, QUESTION_WORDS),
        _by_codes("status", rows.status_N, STATUSES),
        *(_by_codes(name, column.code_N, column.values, MOST_SHOWN) for name, column in rows.by.items()),
    ]
    found = (Breakdown(by=part.by, kinds=tuple(_kinds(part, rows, seed))) for part in parts)
    return tuple(each for each in found if each.kinds)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Partition:
    by: str
    names: Sequence[str]
    code_N: npt.NDArray[Any]
    """Index into ``names``; below 0 it is not known."""


def _kinds(part: _Partition, rows: JudgedRows, seed: int) -> Iterator[Kind]:
    for code, name in enumerate(part.names):
        chosen_N = part.code_N == code
        if chosen_N.any():
            yield Kind(name=name, figures=figures(rows, seed, chosen_N))


def _by_bins(by: str, rows: JudgedRows, value_N: npt.NDArray[Any], begins: Sequence[int]) -> Iterator[_Partition]:
    """Rows by where their value lies among rising beginnings of bins; nothing where no value is known."""
    if not len(rows) or value_N.max() < 0:
        return
    ends = [end - 1 for end in begins[1:]]
    names = [f"{begin:,}" if begin == end else f"{begin:,}–{end:,}" for begin, end in zip(begins, ends, strict=False)]
    code_N = np.zeros(len(value_N), np.int8)
    code_N -= value_N < begins[0]
    for begin in begins[1:]:
        code_N += value_N >= begin
    yield _Partition(by=by, names=[*names, f"{begins[-1]:,} or more"], code_N=code_N)


def _by_codes(by: str, code_N: npt.NDArray[Any], names: Sequence[str], most: int = 1_000) -> _Partition:
    """Rows by a code; most frequent first, the rest together, where there are more than ``most``."""
    if len(names) <= most:
        return _Partition(by=by, names=names, code_N=code_N)
    counts = np.bincount(code_N[code_N >= 0], minlength=len(names))
    shown = np.argsort(-counts, kind="stable")[:most]
    place = np.full(len(names), most)
    place[shown] = np.arange(most)
    others = f"{len(names) - most:,} others"
    return _Partition(by=by, names=[*(names[code] for code in shown), others], code_N=place[code_N])
