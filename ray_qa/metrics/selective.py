"""Answering only where confidence is high: what risk remains at which coverage, and areas that sum it up.

Risk–coverage and AURC after Geifman and El-Yaniv (2017); AUGRC after Traub et al. (2024).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskCoverage:
    """Rows taken from the most confident on: after each of N > 0, how large a part is taken, and how much is lost.

    Rows of the same confidence lose the same, their mean, so that no order among them matters.
    """

    coverage_N: Floats
    """Share of rows taken, rising to 1."""
    risk_N: Floats
    """Mean loss of the rows taken."""

    @property
    def aurc(self) -> float:
        """Mean risk over all coverages: the area under the curve."""
        return float(self.risk_N.mean())

    @property
    def augrc(self) -> float:
        """Area under coverage × risk, the probability of taking a row and losing; trapezoids from coverage 0 on.

        With losses of 0 and 1 it is (1 − AUROC) · right · wrong + wrong² / 2, from shares right and wrong.
        """
        joint_N = np.concatenate([[0.0], self.coverage_N * self.risk_N])
        return float((joint_N[1:] + joint_N[:-1]).mean() / 2)

    def risk_at(self, coverage: float) -> float:
        """The risk where at least so large a part of the rows is taken, above 0."""
        return float(self.risk_N[np.searchsorted(self.coverage_N, coverage - 1e-12)])


def risk_coverage(confidence_N: Floats, loss_N: npt.NDArray[Any]) -> RiskCoverage:
    """The curve of N > 0 rows.

    Args:
        confidence_N: by which rows are taken, highest first; no NaN.
        loss_N: what taking each loses, 0 to 1: such as 1 − exact match.
    """
    order = np.argsort(-confidence_N, kind="stable")
    _, tie_N, size_T = np.unique(-confidence_N[order], return_inverse=True, return_counts=True)
    even_N = (np.bincount(tie_N, loss_N[order].astype(np.float64)) / size_T)[tie_N]
    taken_N = np.arange(1, len(order) + 1)
    return RiskCoverage(coverage_N=taken_N / len(order), risk_N=np.cumsum(even_N) / taken_N)
