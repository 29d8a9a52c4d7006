from __future__ import annotations

import math
from random import Random

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_qa.metrics.calibration import (
    SLOPES,
    LogisticFit,
    brier_score,
    error_by_chance,
    expected_calibration_error,
    fit_logistic,
    log_loss,
    logit_of_log,
    reliability,
)
from ray_qa.reader.answers import confidence

Floats = npt.NDArray[np.float64]
ROWS = st.lists(st.tuples(st.integers(0, 10).map(lambda tenths: tenths / 10), st.booleans()), min_size=1, max_size=40)


def arrays(rows: list[tuple[float, bool]]) -> tuple[Floats, npt.NDArray[np.bool_]]:
    return np.array([each for each, _ in rows]), np.array([right for _, right in rows])


def drawn(slope: float, shift: float, rows: int = 40_000) -> tuple[Floats, npt.NDArray[np.bool_]]:
    random = np.random.default_rng(1)
    logit_N = random.normal(0, 3, rows)
    return logit_N, random.random(rows) < LogisticFit(slope=slope, shift=shift).probability(logit_N)


def loss_of(fit: LogisticFit, logit_N: Floats, right_N: npt.NDArray[np.bool_]) -> float:
    return log_loss(fit.probability(logit_N), right_N)


@given(
    st.lists(st.floats(-800, 0), min_size=1, max_size=20),
    st.floats(1e-3, 10),
    st.floats(-20, 20),
)
def test_probabilities_are_those_that_annotate_gives(logs: list[float], slope: float, shift: float) -> None:
    fit = LogisticFit(slope=slope, shift=shift)
    wanted = [confidence(log, 0.0, slope=slope, shift=shift) for log in logs]
    np.testing.assert_allclose(fit.probability(logit_of_log(np.array(logs))), wanted, rtol=1e-9, atol=1e-300)


def test_a_log_above_0_by_rounding_is_certain() -> None:
    assert LogisticFit().probability(logit_of_log(np.array([1e-9, 0.0]))).tolist() == [1.0, 1.0]


@pytest.mark.parametrize(("slope", "shift"), [(1, 0), (0.4, -0.7), (2, 1.5)])
def test_the_fit_finds_what_rows_were_drawn_by(slope: float, shift: float) -> None:
    found = fit_logistic(*drawn(slope, shift))
    assert (found.slope, found.shift) == pytest.approx((slope, shift), abs=0.06)


@given(st.lists(st.tuples(st.floats(-50, 50), st.booleans()), min_size=1, max_size=30))
def test_nothing_near_has_less_loss_than_the_fit(rows: list[tuple[float, bool]]) -> None:
    logit_N, right_N = arrays(rows)
    fit = fit_logistic(logit_N, right_N)
    least = loss_of(fit, logit_N, right_N)
    for slope, shift in [(1, 0), (0.01, 0), (2, -1), (fit.slope + 0.01, fit.shift), (fit.slope, fit.shift - 0.01)]:
        assert loss_of(LogisticFit(slope=slope, shift=shift), logit_N, right_N) >= least - 1e-6


def test_confidence_never_falls_as_the_raw_probability_rises() -> None:
    logit_N, right_N = drawn(1, 0, 1_000)
    assert fit_logistic(logit_N, ~right_N).slope == SLOPES[0]


def test_a_fit_on_certain_outcomes_is_finite() -> None:
    fit = fit_logistic(np.array([math.inf, math.inf, -2.0, -math.inf]), np.array([True, True, False, False]))
    assert math.isfinite(fit.slope)
    assert math.isfinite(fit.shift)


@given(ROWS, st.integers(1, 12))
def test_ece_is_the_mean_distance_over_bins_of_equal_mass(rows: list[tuple[float, bool]], bins: int) -> None:
    even = {value: float(np.mean([right for other, right in rows if other == value])) for value, _ in rows}
    ordered = sorted(value for value, _ in rows)
    bins = min(bins, len(rows))
    sizes = [len(rows) // bins + (number < len(rows) % bins) for number in range(bins)]
    wanted, at = 0.0, 0
    for size in sizes:
        own = ordered[at : at + size]
        wanted += abs(sum(own) - sum(even[value] for value in own)) / len(rows)
        at += size
    assert expected_calibration_error(*arrays(rows), bins) == pytest.approx(wanted)


@given(ROWS, st.randoms())
def test_no_figure_depends_on_the_order_of_rows(rows: list[tuple[float, bool]], random: Random) -> None:
    other = list(rows)
    random.shuffle(other)
    for figure in (expected_calibration_error, brier_score, log_loss):
        assert figure(*arrays(rows)) == pytest.approx(figure(*arrays(other)))


def test_bins_hold_all_rows_in_rising_order() -> None:
    bins = reliability(*arrays([(number / 100, number % 3 == 0) for number in range(100)]), 7)
    assert sum(each.rows for each in bins) == 100
    assert {each.rows for each in bins} == {14, 15}
    assert [each.confidence for each in bins] == sorted(each.confidence for each in bins)


def test_ece_of_true_confidence_is_what_chance_gives_and_no_more() -> None:
    logit_N, right_N = drawn(1, 0, 5_000)
    true_N = LogisticFit().probability(logit_N)
    chance = error_by_chance(true_N)
    assert 0.003 < chance < 0.02
    assert expected_calibration_error(true_N, right_N) == pytest.approx(chance, rel=0.8)
    assert expected_calibration_error(LogisticFit(slope=3).probability(logit_N), right_N) > 4 * chance


def test_brier_and_log_loss_of_a_few_rows() -> None:
    confidence_N, right_N = np.array([1.0, 0.75, 0.5]), np.array([True, False, True])
    assert brier_score(confidence_N, right_N) == pytest.approx((0 + 0.75**2 + 0.25) / 3)
    assert log_loss(confidence_N, right_N) == pytest.approx((0 + math.log(4) + math.log(2)) / 3)


def test_a_certain_mistake_costs_much_and_not_everything() -> None:
    assert log_loss(np.array([1.0]), np.array([False])) == pytest.approx(12 * math.log(10))
