from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_qa.reader import ranking
from ray_qa.reader.arrays import Ints
from ray_qa.reader.ranking import Candidates, RunningBest, rank_spans

ROW_W = np.array([0, 0, 0, 1, 2, 2])
ROWS = 4
"""The last has no window."""

one = st.tuples(st.integers(0, 4), st.integers(5, 8), st.integers(-2, 2), st.integers(-2, 2))
windows = st.lists(st.lists(one, max_size=6), min_size=len(ROW_W), max_size=len(ROW_W))


def candidates(found: list[tuple[int, tuple[int, int, int, int]]]) -> Candidates:
    values = np.array([(window, *span) for window, span in found], np.int64).reshape(-1, 5)
    return Candidates(
        window_C=values[:, 0],
        start_C=values[:, 1],
        end_C=values[:, 2],
        start_score_C=values[:, 3] / 2,
        end_score_C=values[:, 4] / 2,
    )


def best_first(spans: list[tuple[int, int, int, int]]) -> list[tuple[int, int, int, int]]:
    return sorted(spans, key=lambda span: (-span[2] - span[3], span[0], span[1]))


@given(windows, st.permutations(range(len(ROW_W))), st.integers(1, 5), st.integers(0, 12))
def test_running_bests_rank_as_all_candidates_do(
    spans: list[list[tuple[int, int, int, int]]], order: list[int], n_best: int, most_new: int
) -> None:
    """Whichever order the windows come in, and however often what is left behind is forgotten."""
    at_once = candidates([(window, span) for window, own in enumerate(spans) for span in best_first(own)])
    running = RunningBest(row_W=ROW_W, n_best=n_best)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ranking, "MOST_NEW", most_new)
        for window in order:
            running.add(candidates([(window, span) for span in best_first(spans[window])]))
    kept = running.all()
    assert (np.diff(kept.window_C) >= 0).all()
    got, expected = (rank_spans(each, ROW_W, ROWS, n_best) for each in (kept, at_once))
    for name in ("offsets", "start_S", "end_S", "start_score_S", "end_score_S"):
        assert getattr(got, name).tolist() == getattr(expected, name).tolist(), name


def test_candidates_that_are_kept_are_bounded_by_rows_not_by_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranking, "MOST_NEW", 100)
    row_W: Ints = np.repeat([0, 1], 5_000)
    running = RunningBest(row_W=row_W, n_best=3)
    for window in range(10_000):
        running.add(candidates([(window, (start, 9, window % 7, 0)) for start in range(4)]))
        assert len(running.all()) <= 2 * 3 + 100 + 4
    assert rank_spans(running.all(), row_W, 2, 3).start_score_S.tolist() == [3.0] * 6
