"""What a null threshold does to exact match and F1: the whole curve, and where it is best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ThresholdCurve:
    """Mean scores for every threshold that makes a difference, from the one that answers nothing on.

    A row is answered where null score − best span score ≤ threshold, that is where its margin ≥ −threshold.
    """

    threshold_T: Floats
    """Rising; between two of them nothing changes."""
    exact_T: Floats
    """Percent."""
    f1_T: Floats
    """Percent."""
    answered_T: Floats
    """Share of rows, 0 to 1."""

    def some(self, points: int) -> ThresholdCurve:
        """The whole curve, or of a longer one so many points, evenly chosen."""
        there = len(self.threshold_T)
        chosen = np.unique(np.linspace(0, there - 1, min(there, points)).round().astype(int))
        return ThresholdCurve(
            threshold_T=self.threshold_T[chosen],
            exact_T=self.exact_T[chosen],
            f1_T=self.f1_T[chosen],
            answered_T=self.answered_T[chosen],
        )

    def best(self, scores_T: Floats) -> int:
        """Where scores are highest; of equal ones the one that answers least."""
        return int(np.argmax(scores_T))


def threshold_curve(
    margin_N: Floats, exact_N: npt.NDArray[Any], f1_N: npt.NDArray[Any], has_answer_N: npt.NDArray[np.bool_]
) -> ThresholdCurve:
    """Exact match and F1 of N rows under every threshold, as the official v2.0 script finds them; ties go together.

    Args:
        margin_N: best span score − null score; NaN where there is no span: such a row is never answered.
        exact_N, f1_N: of the best span, 0 to 1.
        has_answer_N: whether there is an answer; if not, leaving the row unanswered is right.
    """
    # One array after the other: a curve of all of many rows is to take little more than it holds.
    order = np.argsort(-margin_N, kind="stable")[: int(np.isfinite(margin_N).sum())].astype(np.int32)
    margins = margin_N[order]
    is_last = np.append(margins[1:] != margins[:-1], True)[: len(margins)]
    lasts = np.flatnonzero(is_last).astype(np.int32)
    threshold_T = _after(-float(margins[0]) - 1 if len(margins) else 0.0, margins, lasts)
    np.negative(threshold_T[1:], out=threshold_T[1:])
    del margins
    exact_T, f1_T = (_percent(score_N, has_answer_N, order, lasts) for score_N in (exact_N, f1_N))
    answered_T = np.zeros(len(threshold_T))
    answered_T[1:] = lasts
    answered_T[1:] += 1
    answered_T /= len(margin_N)
    return ThresholdCurve(
        threshold_T=threshold_T,
        exact_T=exact_T,
        f1_T=f1_T,
        answered_T=answered_T,
    )


def _percent(
    score_N: npt.NDArray[Any],
    has_answer_N: npt.NDArray[np.bool_],
    order: npt.NDArray[np.int32],
    lasts: npt.NDArray[np.int32],
) -> Floats:
    """The mean score, where first no row is answered, then those up to each of ``lasts`` in that order."""
    gained = score_N[order].astype(np.float64)
    gained -= ~has_answer_N[order]
    np.cumsum(gained, out=gained)
    mean_T = _after(0.0, gained, lasts)
    mean_T += float((~has_answer_N).sum())
    mean_T *= 100 / len(has_answer_N)
    return mean_T


def _after(first: float, values: Floats, at: npt.NDArray[np.int32]) -> Floats:
    """A value, and behind it those at some places."""
    joined = np.empty(1 + len(at))
    joined[0] = first
    np.take(values, at, out=joined[1:], mode="clip")  # other modes make a copy
    return joined
