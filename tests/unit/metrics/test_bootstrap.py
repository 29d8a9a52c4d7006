from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_qa.metrics import bootstrap
from ray_qa.metrics.bootstrap import Interval, intervals_of, mean_interval, pivotal_of_distance, ratio_interval
from ray_qa.metrics.calibration import expected_calibration_error

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def test_an_interval_is_as_wide_as_the_standard_error_says() -> None:
    values = np.random.default_rng(1).normal(5, 2, 2_000)
    found = mean_interval(values, np.arange(2_000))
    half = 1.96 * values.std() / np.sqrt(2_000)
    assert found.low == pytest.approx(values.mean() - half, abs=half / 6)
    assert found.high == pytest.approx(values.mean() + half, abs=half / 6)


def test_rows_of_one_group_count_as_one_piece_of_evidence() -> None:
    values = np.repeat(np.random.default_rng(1).integers(0, 2, 100), 25)
    apart = mean_interval(values, np.arange(2_500))
    together = mean_interval(values, np.repeat(np.arange(100), 25))
    assert (together.high - together.low) / (apart.high - apart.low) == pytest.approx(5, rel=0.2)


def test_the_same_seed_gives_the_same_interval() -> None:
    values, groups = np.arange(50), np.arange(50) // 3
    assert mean_interval(values, groups, seed=3) == mean_interval(values, groups, seed=3)
    assert mean_interval(values, groups, seed=3) != mean_interval(values, groups, seed=4)


def test_many_groups_are_put_together_and_the_interval_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(2).normal(0, 1, 20_000)
    whole = mean_interval(values, np.arange(20_000) // 2)
    monkeypatch.setattr(bootstrap, "MOST_GROUPS", 500)
    fewer = mean_interval(values, np.arange(20_000) // 2)
    assert (fewer.high - fewer.low) == pytest.approx(whole.high - whole.low, rel=0.15)


def test_a_ratio_is_drawn_over_and_under_alike() -> None:
    under = np.arange(1, 41)
    found = ratio_interval(3 * under, under, np.arange(40))
    assert (found.low, found.high) == pytest.approx((3, 3))


def test_intervals_of_any_figures_are_those_of_a_mean_where_they_are_means() -> None:
    random = np.random.default_rng(3)
    groups = random.integers(0, 150, 1_000)
    values = random.normal(0, 1, 1_000) + random.normal(0, 1, 150)[groups]
    of_mean, of_nine = intervals_of(lambda rows: (values[rows].mean(), 9.0), groups)
    wanted = mean_interval(values, groups)
    assert (of_mean.low, of_mean.high) == pytest.approx((wanted.low, wanted.high), abs=0.04)
    assert (of_nine.low, of_nine.high) == (9, 9)


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_the_interval_of_a_distance_holds_it_and_begins_at_0_at_least(value: float, one: float, other: float) -> None:
    found = pivotal_of_distance(Interval(low=min(one, other), high=max(one, other)), value)
    assert 0 <= found.low <= value <= found.high


@pytest.mark.parametrize(("off", "truth"), [(0.0, 0.0), (0.1, 0.1)])
def test_the_interval_of_ece_has_the_truth_where_the_percentile_one_lies_too_high(off: float, truth: float) -> None:
    """Confidences of 0.2 to 0.8, each true or too high by 0.1; 40 draws of 200 rows."""
    held = 0
    for seed in range(40):
        random = np.random.default_rng(seed)
        confidence_N = random.uniform(0.2, 0.8, 200)
        right_N = random.random(200) < confidence_N - off

        def ece(rows: npt.NDArray[np.int64], at: Floats = confidence_N, right: Bools = right_N) -> tuple[float]:
            return (expected_calibration_error(at[rows], right[rows]),)

        (drawn,), (value,) = intervals_of(ece, np.arange(200)), ece(np.arange(200))
        found = pivotal_of_distance(drawn, value)
        held += found.low <= truth <= found.high
        assert off > 0 or drawn.low > truth
    assert held >= 34  # 95 % of 40, less three standard deviations


def test_groups_are_drawn_whole() -> None:
    groups = np.array([7, 3, 7, 7, 5, 3])
    seen = []

    def figures(rows: npt.NDArray[np.int64]) -> tuple[float]:
        seen.append(rows)
        return (0.0,)

    intervals_of(figures, groups)
    for rows in seen:
        times = {group: {int((rows == row).sum()) for row in np.flatnonzero(groups == group)} for group in (3, 5, 7)}
        assert all(len(each) == 1 for each in times.values())
        assert sum(each.pop() for each in times.values()) == 3
