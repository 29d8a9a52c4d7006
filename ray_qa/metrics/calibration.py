"""Whether confidence is what it says: fitting it to what came true, and how far it is off.

Logistic recalibration after Platt (1999); ECE over bins of equal mass after Nixon et al. (2019).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

BINS = 15
SLOPES, SHIFTS = (1e-3, 100.0), (-100.0, 100.0)
"""Bounds of the fit: confidence is never to fall as the raw probability rises, nor to run away on rows that are all
told apart."""
DRAWS = 50
"""Of rows that come true as their confidence says."""
LEAST = 1e-12
"""The least probability that counts as given to what came true: one certain mistake costs a lot, and not everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogisticFit:
    """Probability = sigmoid(slope · logit + shift)."""

    slope: float = 1.0
    shift: float = 0.0

    def probability(self, logit_N: Floats) -> Floats:
        """Of N outcomes, given the logits of their raw probabilities; +∞ is certain."""
        z_N = self.slope * logit_N + self.shift
        return np.where(z_N > 0, 1 / (1 + np.exp(-np.abs(z_N))), np.exp(-np.abs(z_N)) / (1 + np.exp(-np.abs(z_N))))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Rows of like confidence."""

    rows: int
    confidence: float
    """Mean."""
    right: float
    """Share of them."""


def logit_of_log(log_raw_N: Floats) -> Floats:
    """Logits of probabilities that are given by their logs; those above 0 by rounding count as 0, and give +∞."""
    log_raw_N = np.minimum(log_raw_N, 0.0)
    with np.errstate(divide="ignore"):
        return log_raw_N - np.log(-np.expm1(log_raw_N))


def fit_logistic(logit_N: Floats, right_N: npt.NDArray[Any]) -> LogisticFit:
    """The slope and shift of least log loss, within bounds.

    Args:
        logit_N: of the raw probabilities of N > 0 outcomes.
        right_N: whether each came true.
    """
    from scipy.optimize import minimize
    from scipy.special import expit

    x_N, y_N = np.clip(logit_N, -1e3, 1e3), right_N.astype(np.float64)

    def loss(at: Floats) -> tuple[float, Floats]:
        z_N = at[0] * x_N + at[1]
        off_N = expit(z_N) - y_N
        return float(np.mean(np.logaddexp(0, z_N) - y_N * z_N)), np.array([np.mean(off_N * x_N), np.mean(off_N)])

    # the loss is convex: from wherever one starts there is one lowest place
    found = minimize(loss, np.array([1.0, 0.0]), jac=True, method="L-BFGS-B", bounds=[SLOPES, SHIFTS], tol=1e-12)
    return LogisticFit(slope=float(found.x[0]), shift=float(found.x[1]))


def reliability(confidence_N: Floats, right_N: npt.NDArray[Any], bins: int = BINS) -> tuple[Bin, ...]:
    """Rows in bins of equal mass, confidence rising; of N rows at most N bins.

    Rows of the same confidence count as right in the same part, so that no order among them matters.
    """
    order, even_N = _in_order(confidence_N, right_N)
    sorted_N = confidence_N[order].astype(np.float64)
    places = np.array_split(np.arange(len(order)), min(bins, len(order)))
    return tuple(
        Bin(rows=len(own), confidence=float(sorted_N[own].mean()), right=float(even_N[own].mean())) for own in places
    )


def expected_calibration_error(confidence_N: Floats, right_N: npt.NDArray[Any], bins: int = BINS) -> float:
    """ECE of N > 0 rows, 0 to 1: how far mean confidence is from the share that is right, over bins of equal mass."""
    own = reliability(confidence_N, right_N, bins)
    return sum(each.rows * abs(each.confidence - each.right) for each in own) / len(confidence_N)


def error_by_chance(confidence_N: Floats, bins: int = BINS, *, seed: int = 0) -> float:
    """The mean ECE of N > 0 rows of these confidences were each exactly as probable as its confidence says.

    ECE is never 0 on so many rows and no more: what it has above this is what is wrong with the confidence.
    """
    random = np.random.default_rng(seed)
    return float(
        np.mean(
            [
                expected_calibration_error(confidence_N, random.random(len(confidence_N)) < confidence_N, bins)
                for _ in range(DRAWS)
            ]
        )
    )


def brier_score(confidence_N: Floats, right_N: npt.NDArray[Any]) -> float:
    """Mean squared distance of confidence from what came true (Brier 1950), 0 to 1."""
    return float(np.mean((confidence_N - right_N.astype(np.float64)) ** 2))


def log_loss(confidence_N: Floats, right_N: npt.NDArray[Any]) -> float:
    """Mean −ln of the probability that was given to what came true, which counts as ``LEAST`` if it was less."""
    given_N = np.where(right_N.astype(np.bool_), confidence_N, 1 - confidence_N)
    return float(-np.mean(np.log(np.clip(given_N, LEAST, 1))))


def _in_order(confidence_N: Floats, right_N: npt.NDArray[Any]) -> tuple[npt.NDArray[np.int64], Floats]:
    """The order of rising confidence, and in it the share that is right among those of the same confidence."""
    order = np.argsort(confidence_N, kind="stable")
    _, tie_N, size_T = np.unique(confidence_N[order], return_inverse=True, return_counts=True)
    return order, (np.bincount(tie_N, right_N[order].astype(np.float64)) / size_T)[tie_N]
