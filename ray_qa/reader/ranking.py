"""The best distinct spans of every row, over all its windows, without a Python object a span.

Shapes: C candidates, S spans that are kept, R rows.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np

from ray_qa.reader.arrays import Floats, Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """C spans as half-open character ranges of their rows' contexts, in the order of their windows, each's best first.

    Scores are float64.
    """

    window_C: Ints
    start_C: Ints
    end_C: Ints
    start_score_C: Floats
    end_score_C: Floats

    def __len__(self) -> int:
        return len(self.window_C)

    def take(self, which_K: Ints) -> Candidates:
        """The candidates ``which_K`` alone, in that order."""
        return Candidates(**{name: getattr(self, name)[which_K] for name in COLUMNS})


COLUMNS = tuple(column.name for column in fields(Candidates))
NO_CANDIDATES = Candidates(
    window_C=np.zeros(0, np.int64),
    start_C=np.zeros(0, np.int64),
    end_C=np.zeros(0, np.int64),
    start_score_C=np.zeros(0),
    end_score_C=np.zeros(0),
)
MOST_NEW = 65_536
"""So many candidates come in before those are forgotten that are not among the best."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedSpans:
    """S spans of R rows, row by row, best first; those of row r lie at ``offsets[r]:offsets[r + 1]``."""

    offsets: Ints
    start_S: Ints
    end_S: Ints
    start_score_S: Floats
    end_score_S: Floats


def rank_spans(candidates: Candidates, row_W: Ints, rows: int, n_best: int) -> RankedSpans:
    """The ``n_best`` best candidates of each row with distinct ranges; ties earlier, then shorter first.

    A range that several windows or tokens propose counts once, with its best score.

    Args:
        candidates: in the order of windows.
        row_W: the row of each window, ascending.
        rows: R.
        n_best: most spans of a row.
    """
    kept_S = _best(candidates, row_W, n_best)
    return RankedSpans(
        offsets=np.searchsorted(row_W[candidates.window_C[kept_S]], np.arange(rows + 1)),
        start_S=candidates.start_C[kept_S],
        end_S=candidates.end_C[kept_S],
        start_score_S=candidates.start_score_C[kept_S],
        end_score_S=candidates.end_score_C[kept_S],
    )


@dataclass(slots=True, kw_only=True)
class RunningBest:
    """The candidates of the windows so far, without those that cannot be among the best of their rows any more."""

    row_W: Ints
    """The row of each window, ascending."""
    n_best: int
    """Most spans of a row."""
    _parts: list[Candidates] = field(default_factory=lambda: [NO_CANDIDATES])
    _new: int = 0

    def add(self, candidates: Candidates) -> None:
        """Take in the candidates of some windows."""
        self._parts.append(candidates)
        self._new += len(candidates)
        if self._new > MOST_NEW:
            so_far = self.all()
            self._parts = [so_far.take(np.sort(_best(so_far, self.row_W, self.n_best)))]
            self._new = 0

    def all(self) -> Candidates:
        """All that :func:`rank_spans` may choose from, in the order of windows."""
        columns = {name: np.concatenate([getattr(part, name) for part in self._parts]) for name in COLUMNS}
        return Candidates(**columns).take(np.argsort(columns["window_C"], kind="stable"))


def _best(candidates: Candidates, row_W: Ints, n_best: int) -> Ints:
    """Where the best distinct ranges of each row lie, row by row, best first."""
    row_C = row_W[candidates.window_C]
    score_C = candidates.start_score_C + candidates.end_score_C
    ranked_C = np.lexsort((candidates.end_C, candidates.start_C, -score_C, row_C))
    row_C = row_C[ranked_C]
    if n_best > 1:
        distinct = _first_of_each(candidates.start_C[ranked_C], candidates.end_C[ranked_C], row_C)
        ranked_C, row_C = ranked_C[distinct], row_C[distinct]
    rank_C = np.arange(len(row_C)) - np.searchsorted(row_C, row_C)
    return ranked_C[rank_C < n_best]


def _first_of_each(start_C: Ints, end_C: Ints, row_C: Ints) -> Ints:
    """Where each range of each row comes for the first time, ascending."""
    order_C = np.lexsort((end_C, start_C, row_C))
    starts, ends, rows = start_C[order_C], end_C[order_C], row_C[order_C]
    is_new = (starts[1:] != starts[:-1]) | (ends[1:] != ends[:-1]) | (rows[1:] != rows[:-1])
    return np.sort(order_C[np.append(True, is_new)[: len(order_C)]])
