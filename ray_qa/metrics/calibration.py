"""Whether confidence is what it says: fitting it to what came true, and how far it is off.

Beta calibration after Kull, Silva Filho and Flach (2017), with a Gaussian prior on its numbers as in the ridge of
le Cessie and van Houwelingen (1992); ECE over bins of equal mass after Nixon et al. (2019).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

BINS = 15
SLOPES, REST_SLOPES, SHIFTS = (1e-3, 100.0), (0.0, 100.0), (-100.0, 100.0)
"""Bounds of the fit: confidence is never to fall as the raw probability rises, nor to run away on rows that are all
told apart."""
CERTAIN = 54 * np.log(2)
"""What is nearer to 1 than exp of minus this is 1 to the last bit of a float."""
TOLD_APART = 16.0
"""Models give scores of seven digits: nearer to 1 than exp of minus this they do not say how near it is."""
PRIOR_PRECISION = 1.0
"""One over the variance of the prior on slopes and shift around those of the raw probability. A row tells of the shift
p · (1 − p), at most a quarter: the prior is worth four rows there, fewer where features are large, and is lost among
thousands."""
DRAWS = 50
"""Of rows that come true as their confidence says."""
LEAST = 1e-12
"""The least probability that counts as given to what came true: one certain mistake costs a lot, and not everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BetaFit:
    """Probability = sigmoid(slope · ln raw − rest_slope · ln(1 − raw) + shift).

    With equal slopes that is sigmoid(slope · logit(raw) + shift). A lesser slope of the rest lets probability stay
    below 1 however sure the raw one is, as it must where some rows have no answer that could be found.
    """

    slope: float = 1.0
    rest_slope: float = 1.0
    shift: float = 0.0

    def probability(self, log_raw_N: Floats) -> Floats:
        """Of N outcomes, given the logs of their raw probabilities; those above 0 by rounding count as 0."""
        from scipy.special import expit

        log_raw_N = np.minimum(log_raw_N, 0.0)
        z_N = self.slope * log_raw_N + self.rest_slope * _minus_log_rest(log_raw_N, CERTAIN) + self.shift
        probability_N: Floats = expit(z_N)
        return probability_N


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Rows of like confidence."""

    rows: int
    confidence: float
    """Mean."""
    right: float
    """Share of them."""


def fit_beta(log_raw_N: Floats, right_N: npt.NDArray[Any]) -> BetaFit:
    """The slopes and shift of highest posterior density, within bounds: of least log loss, drawn a little to the raw.

    Summed over rows, log loss + ``PRIOR_PRECISION`` / 2 · ((slope − 1)² + (rest_slope − 1)² + shift²) is least.
    Without the second term slopes run to their bounds on rows that happen to be told apart, or are a handful.

    Args:
        log_raw_N: logs of the raw probabilities of N > 0 outcomes.
        right_N: whether each came true.
    """
    from scipy.optimize import minimize
    from scipy.special import expit

    log_raw_N, y_N = np.minimum(log_raw_N, 0.0), right_N.astype(np.float64)
    x_NF = np.stack([log_raw_N, _minus_log_rest(log_raw_N, TOLD_APART), np.ones(len(y_N))], axis=1)
    raw_F = np.array([1.0, 1.0, 0.0])

    def loss(at_F: Floats) -> tuple[float, Floats]:
        z_N, away_F = x_NF @ at_F, at_F - raw_F
        total = np.sum(np.logaddexp(0, z_N) - y_N * z_N) + PRIOR_PRECISION / 2 * away_F @ away_F
        slope_F = x_NF.T @ (expit(z_N) - y_N) + PRIOR_PRECISION * away_F
        return float(total) / len(y_N), slope_F / len(y_N)

    # the loss is convex: from wherever one starts there is one lowest place
    bounds = [SLOPES, REST_SLOPES, SHIFTS]
    found = minimize(loss, raw_F, jac=True, method="L-BFGS-B", bounds=bounds, tol=1e-12)
    slope, rest_slope, shift = found.x.tolist()
    return BetaFit(slope=slope, rest_slope=rest_slope, shift=shift)


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
    return float(np.mean(np.abs(np.log(np.clip(given_N, LEAST, 1)))))  # a minus would make −0 of what is certain


def _minus_log_rest(log_raw_N: Floats, most: float) -> Floats:
    """−ln(1 − raw), at most ``most``."""
    with np.errstate(divide="ignore"):
        rest_N: Floats = np.minimum(-np.log(-np.expm1(log_raw_N)), most)
    return rest_N


def _in_order(confidence_N: Floats, right_N: npt.NDArray[Any]) -> tuple[npt.NDArray[np.int64], Floats]:
    """The order of rising confidence, and in it the share that is right among those of the same confidence."""
    order = np.argsort(confidence_N, kind="stable")
    _, tie_N, size_T = np.unique(confidence_N[order], return_inverse=True, return_counts=True)
    return order, (np.bincount(tie_N, right_N[order].astype(np.float64)) / size_T)[tie_N]
