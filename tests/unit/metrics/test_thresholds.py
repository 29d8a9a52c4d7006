from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ray_qa.metrics.thresholds import threshold_curve

ROWS = st.tuples(st.integers(-3, 3) | st.just(float("nan")), st.booleans(), st.integers(0, 4), st.booleans())


@given(st.lists(ROWS, min_size=1, max_size=30))
def test_every_point_of_the_curve_is_what_that_threshold_gives(rows: list[tuple[float, bool, int, bool]]) -> None:
    margins = np.array([float(margin) for margin, *_ in rows])
    exact = np.array([is_exact for _, is_exact, _, _ in rows])
    f1 = np.array([quarters / 4 for *_, quarters, _ in rows])
    has_answer = np.array([has for *_, has in rows])
    curve = threshold_curve(margins, exact, f1, has_answer)
    for threshold, of_exact, of_f1, answered in zip(
        curve.threshold_T, curve.exact_T, curve.f1_T, curve.answered_T, strict=True
    ):
        is_answered = np.nan_to_num(margins, nan=-np.inf) >= -threshold
        np.testing.assert_allclose(of_exact, 100 * np.where(is_answered, exact, ~has_answer).mean())
        np.testing.assert_allclose(of_f1, 100 * np.where(is_answered, f1, ~has_answer).mean())
        np.testing.assert_allclose(answered, is_answered.mean())
    assert len(curve.threshold_T) == 1 + len(set(margins[np.isfinite(margins)].tolist()))
    assert curve.f1_T[curve.best(curve.f1_T)] == curve.f1_T.max()
