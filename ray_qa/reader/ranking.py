"""The best distinct spans of every row, over all its windows, without a Python object a span.

Shapes: C candidates, S spans that are kept, R rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ray_qa.reader.arrays import Floats, Ints
from ray_qa.reader.scoring import Candidates


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
    row_C = row_W[candidates.window_C]
    score_C = candidates.start_score_C + candidates.end_score_C
    ranked_C = np.lexsort((candidates.end_C, candidates.start_C, -score_C, row_C))
    row_C = row_C[ranked_C]
    if n_best > 1:
        distinct = _first_of_each(candidates.start_C[ranked_C], candidates.end_C[ranked_C], row_C)
        ranked_C, row_C = ranked_C[distinct], row_C[distinct]
    rank_C = np.arange(len(row_C)) - np.searchsorted(row_C, row_C)
    kept_S = ranked_C[rank_C < n_best]
    return RankedSpans(
        offsets=np.searchsorted(row_C[rank_C < n_best], np.arange(rows + 1)),
        start_S=candidates.start_C[kept_S],
        end_S=candidates.end_C[kept_S],
        start_score_S=candidates.start_score_C[kept_S],
        end_score_S=candidates.end_score_C[kept_S],
    )


def _first_of_each(start_C: Ints, end_C: Ints, row_C: Ints) -> Ints:
    """Where each range of each row comes for the first time, ascending."""
    order_C = np.lexsort((end_C, start_C, row_C))
    starts, ends, rows = start_C[order_C], end_C[order_C], row_C[order_C]
    is_new = (starts[1:] != starts[:-1]) | (ends[1:] != ends[:-1]) | (rows[1:] != rows[:-1])
    return np.sort(order_C[np.append(True, is_new)[: len(order_C)]])
