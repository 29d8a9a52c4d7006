"""Two sets of answers to the same rows: whether one is better, by paired difference and exact sign test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ray_qa.metrics.bootstrap import Interval, mean_interval


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedDifference:
    """How a figure differs between two sets of answers, row by row."""

    difference: float
    """Mean of first − second."""
    interval: Interval
    better: int
    """Rows in which the first has more."""
    worse: int
    p_value: float
    """Of the exact two-sided sign test: how probable so uneven a split is where neither is better."""


def paired_difference(
    first_N: npt.NDArray[Any], second_N: npt.NDArray[Any], groups_N: npt.NDArray[Any], *, seed: int = 0
) -> PairedDifference:
    """Compare a figure of N > 0 rows.

    Args:
        first_N, second_N: the figure under each.
        groups_N: what each row belongs to, for the interval.
        seed: of the interval.
    """
    from scipy.stats import binomtest

    difference_N = first_N.astype(np.float64) - second_N.astype(np.float64)
    better, worse = int((difference_N > 0).sum()), int((difference_N < 0).sum())
    return PairedDifference(
        difference=float(difference_N.mean()),
        interval=mean_interval(difference_N, groups_N, seed=seed),
        better=better,
        worse=worse,
        p_value=float(binomtest(better, better + worse).pvalue) if better + worse else 1.0,
    )
