"""How values are spread: a histogram of bounded size that takes them in as they come, whatever their range."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

MOST_BINS = 4_096


@dataclass(slots=True)
class Histogram:
    """Counts of values in bins that begin at multiples of ``width``, which doubles where there would be too many."""

    width: float
    _counts: Counter[int] = field(default_factory=Counter)
    """By number of the bin, which holds values from number × width on."""

    @property
    def total(self) -> int:
        """How many values there are."""
        return self._counts.total()

    def add(self, values_N: npt.NDArray[Any]) -> None:
        """Take values in; those that are not finite are passed over."""
        finite = values_N[np.isfinite(values_N)]
        bins, counts = np.unique(np.floor(finite / self.width).astype(np.int64), return_counts=True)
        self._counts.update(dict(zip(bins.tolist(), counts.tolist(), strict=True)))
        while len(self._counts) > MOST_BINS:
            self._put_pairs_together()

    def quantile(self, share: float) -> float:
        """Where the bin begins below which that share of the values lies; NaN without values."""
        reached, wanted = 0, share * self.total
        for number in sorted(self._counts):
            reached += self._counts[number]
            if reached >= wanted:
                return number * self.width
        return float("nan")

    def between(self, edges_E: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.int64]:
        """How many values lie from each of E rising edges to the next, by the middles of their bins."""
        middles = np.array([(number + 0.5) * self.width for number in self._counts])
        places = np.searchsorted(edges_E, middles, side="right") - 1
        inside = (places >= 0) & (places < len(edges_E) - 1)
        counts = np.array(list(self._counts.values()), np.int64)
        found = np.bincount(places[inside], counts[inside], len(edges_E) - 1)
        return found.astype(np.int64)

    def _put_pairs_together(self) -> None:
        before, self._counts = self._counts, Counter()
        self.width *= 2
        for number, count in before.items():
            self._counts[number // 2] += count
