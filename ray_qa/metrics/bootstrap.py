"""Intervals by the bootstrap, over groups of rows that are not independent (Efron 1979; Field and Welsh 2007)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

REPLICATES, LEVEL = 1_000, 0.95
REPLICATES_OF_CURVES = 200
"""Where every replicate sorts its rows anew."""
TAILS = 100 * (1 - LEVEL) / 2, 100 * (1 + LEVEL) / 2
MOST_GROUPS = 10_000
"""More groups than this are put together at random into so many: intervals are the same, and the work is bounded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Where a figure lies, with 95 % confidence."""

    low: float
    high: float


def pivotal_of_distance(interval: Interval, value: float) -> Interval:
    """The interval of a distance, such as ECE, that holds it: of a percentile interval, which lies too high.

    Rows drawn again have the noise of the draw on top of that of the rows, and noise makes a distance longer: by its
    variance, in the square. So the square has the pivotal interval (Davison and Hinkley 1997, section 5.2: twice the
    figure less what is drawn), cut off at 0, and stretched to the figure where it ends below.
    """
    low, high = (max(0.0, 2 * value**2 - drawn**2) ** 0.5 for drawn in (interval.high, interval.low))
    return Interval(low=min(low, value), high=max(high, value))


def mean_interval(values_N: npt.NDArray[Any], groups_N: npt.NDArray[Any], *, seed: int = 0) -> Interval:
    """The percentile interval of a mean over rows, groups drawn with replacement.

    Args:
        values_N: a value for each of N > 0 rows.
        groups_N: what each row belongs to; rows of one group are drawn together. Of int32 they are numbers from 0.
        seed: the same one gives the same interval.
    """
    return _interval(values_N, None, groups_N, seed)


def intervals_of(
    figures: Callable[[npt.NDArray[np.int64]], Sequence[float]], groups_N: npt.NDArray[Any], *, seed: int = 0
) -> tuple[Interval, ...]:
    """The percentile intervals of any figures of N > 0 rows, groups drawn with replacement.

    Args:
        figures: of the rows of these indices, of which some come more than once.
        groups_N: what each row belongs to; rows of one group are drawn together.
        seed: the same one gives the same intervals.
    """
    random = np.random.default_rng(seed)
    _, group_N, size_G = np.unique(groups_N, return_inverse=True, return_counts=True)
    order, end_G = np.argsort(group_N, kind="stable"), np.cumsum(size_G)

    def drawn() -> npt.NDArray[np.int64]:
        of_D = random.integers(0, len(size_G), len(size_G))
        to_D = np.cumsum(size_G[of_D])
        rows: npt.NDArray[np.int64] = order[np.repeat(end_G[of_D] - to_D, size_G[of_D]) + np.arange(to_D[-1])]
        return rows

    drawn_RF = np.array([figures(drawn()) for _ in range(REPLICATES_OF_CURVES)])
    low_F, high_F = np.percentile(drawn_RF, TAILS, axis=0)
    return tuple(Interval(low=low, high=high) for low, high in zip(low_F.tolist(), high_F.tolist(), strict=True))


def ratio_interval(
    over_N: npt.NDArray[Any], under_N: npt.NDArray[Any], groups_N: npt.NDArray[Any], *, seed: int = 0
) -> Interval:
    """The percentile interval of Σ over / Σ under, groups drawn with replacement.

    Args:
        over_N, under_N: two figures of each of N > 0 rows, the second nowhere negative, and not 0 everywhere.
        groups_N: what each row belongs to.
        seed: the same one gives the same interval.
    """
    return _interval(over_N, under_N, groups_N, seed)


def _interval(
    over_N: npt.NDArray[Any], under_N: npt.NDArray[Any] | None, groups_N: npt.NDArray[Any], seed: int
) -> Interval:
    """Without a figure to divide by it is the number of rows."""
    random = np.random.default_rng(seed)
    number_N, groups = (groups_N, int(groups_N.max()) + 1) if groups_N.dtype == np.int32 else _numbered(groups_N)
    number_G = _those_there(number_N, groups)
    if (there := int(number_G.max()) + 1) > MOST_GROUPS:
        number_G = random.permutation(np.arange(there, dtype=np.int32) % MOST_GROUPS)[number_G]
    group_N, groups = number_G[number_N].astype(np.intp), min(there, MOST_GROUPS)
    over_G = np.bincount(group_N, over_N, groups).astype(np.float64)
    under_G = np.bincount(group_N, under_N, groups).astype(np.float64)
    ratios = np.array([_ratio(over_G, under_G, random) for _ in range(REPLICATES)])
    low, high = np.nanpercentile(ratios, TAILS)
    return Interval(low=float(low), high=float(high))


def _numbered(groups_N: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], int]:
    values_G, number_N = np.unique(groups_N, return_inverse=True)
    return number_N, len(values_G)


def _those_there(number_N: npt.NDArray[Any], groups: int) -> npt.NDArray[np.int32]:
    """A number from 0 for each group that has a row, in their order; any for others."""
    is_there_G = np.zeros(groups, np.bool_)
    is_there_G[number_N] = True
    number_G: npt.NDArray[np.int32] = np.cumsum(is_there_G, dtype=np.int32)
    number_G -= 1
    return number_G


def _ratio(over_G: Floats, under_G: Floats, random: np.random.Generator) -> float:
    drawn = random.integers(0, len(over_G), len(over_G))
    under = under_G[drawn].sum()
    return float(over_G[drawn].sum() / under) if under else float("nan")
