"""Thresholds whose precision can be promised: Learn-then-Test (Angelopoulos, Bates, Candès, Jordan and Lei 2021).

The threshold that looks best on labelled rows breaks a promise made of it about every other time: it was looked for
where chance was kind. Here thresholds are fixed before a label is looked at, by what they accept of unlabelled rows,
and tested one after the other, the strictest first: of each the hypothesis that its precision is below the target, by
the exact binomial test. The last one before the first that fails is promised. As the order is fixed, the chance that
any of the tests before the first failure rejects wrongly is that of one test (fixed-sequence testing).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

FEWEST_ROWS = 60
DOUBT = 0.95
"""The confidence of the upper bound on precision, whatever a promise is to have: who asks for less is never told to
label more."""
SHARES = 40
"""Thresholds that accept so many even shares of all rows are tested, from the first that has rows enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A threshold and what labelled rows say of it."""

    threshold: float
    share: float
    """Of the unlabelled rows: those that it accepts."""
    accepted: int
    """Labelled rows."""
    right: int
    p_value: float
    """The chance of so many right ones among so many rows, if the target were only just missed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What comes of the tests."""

    kept: Trial | None
    """The threshold that can be promised, if one can."""
    trials: tuple[Trial, ...]
    """All that were tested: the last one has failed, unless it accepts everything."""


def promised_threshold(
    excess_M: npt.NDArray[Any], excess_N: npt.NDArray[Any], right_N: npt.NDArray[Any], target: float, confidence: float
) -> Promise:
    """The loosest threshold of which can be said: at least ``target`` of the rows that it accepts are right.

    The chance that this is said and not so is at most 1 − ``confidence``, over the draws of labelled rows, which must
    be drawn from the M rows at random. A row is accepted where its excess is at most the threshold.

    Args:
        excess_M: null score − best span score of all M rows, or of many of them drawn at random; finite.
        excess_N: of the N labelled ones; finite.
        right_N: whether the best span of each is right.
        target: the precision, 0 to 1.
        confidence: 0 to 1.
    """
    sorted_M = np.sort(excess_M)
    trials: list[Trial] = []
    kept = None
    for share in _shares(len(excess_N), fewest_rows(target, confidence)):
        threshold = float(sorted_M[max(0, math.ceil(share * len(sorted_M)) - 1)])
        accepts = float(np.searchsorted(sorted_M, threshold, side="right") / len(sorted_M))
        trials.append(_trial(threshold, accepts, excess_N, right_N, target))
        if trials[-1].p_value > 1 - confidence:
            break
        kept = trials[-1]
    return Promise(kept=kept, trials=tuple(trials))


def fewest_rows(target: float, confidence: float) -> int:
    """How many labelled rows the strictest threshold that is tested is to accept.

    Twice as many as would do if none of them were wrong, so that a wrong one is no end; and at least ``FEWEST_ROWS``.
    """
    return max(FEWEST_ROWS, 2 * fewest_without_error(target, confidence))


def fewest_without_error(target: float, confidence: float) -> int:
    """How many labelled rows suffice if all of them are right: the least n with target^n ≤ 1 − confidence."""
    return math.ceil(math.log(1 - confidence) / math.log(target) - 1e-9)


def highest_precision(trial: Trial) -> float:
    """How often a threshold's rows may be right at most: an exact upper bound (Clopper and Pearson 1934), 0 to 1.

    It lies below the truth with a chance of at most 1 − ``DOUBT``.
    """
    from scipy.stats import beta

    wrong = trial.accepted - trial.right
    return float(beta.ppf(DOUBT, trial.right + 1, wrong)) if wrong else 1.0


def labels_that_would_do(
    trial: Trial, target: float, confidence: float, rate: float | None = None, most: int = 10_000_000
) -> int | None:
    """About how many labels a threshold would need, if of its rows the share ``rate`` were right.

    That is the share which has been right, unless given. ``None`` where it is no higher than the target, or only so
    little that more than ``most`` of its rows had to be labelled. Less confidence never needs more.
    """
    rate = trial.right / max(1, trial.accepted) if rate is None else rate
    if rate <= target:
        return None
    few, many = 0, 1
    while not _is_enough(many, rate, target, confidence):
        few, many = many, 2 * many
        if many > most:
            return None
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if _is_enough(middle, rate, target, confidence) else (middle, many)
    return math.ceil(many / trial.share)


def _shares(labelled: int, fewest: int) -> list[float]:
    """Shares of rows to accept, rising; of the first as many labelled rows as are wanted are expected."""
    if labelled < fewest:
        return []
    first = fewest / labelled
    return [first, *(nth / SHARES for nth in range(1, SHARES + 1) if nth / SHARES > first)]


def _trial(threshold: float, share: float, excess_N: Floats, right_N: npt.NDArray[Any], target: float) -> Trial:
    is_accepted_N = excess_N <= threshold
    accepted, right = int(is_accepted_N.sum()), int((is_accepted_N & (right_N != 0)).sum())
    return Trial(
        threshold=threshold, share=share, accepted=accepted, right=right, p_value=_p_value(right, accepted, target)
    )


def _p_value(right: int, accepted: int, target: float) -> float:
    """The chance of at least so many right ones, if each is right with the chance ``target``."""
    from scipy.stats import binom

    return float(binom.sf(right - 1, accepted, target)) if accepted else 1.0


def _is_enough(accepted: int, rate: float, target: float, confidence: float) -> bool:
    return _p_value(math.floor(rate * accepted), accepted, target) <= 1 - confidence
