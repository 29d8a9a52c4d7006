from __future__ import annotations

import math
from random import Random

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_qa.metrics.calibration import (
    PRIOR_PRECISION,
    REST_SLOPES,
    SHIFTS,
    SLOPES,
    BetaFit,
    brier_score,
    error_by_chance,
    expected_calibration_error,
    fit_beta,
    log_loss,
    reliability,
)
from ray_qa.reader.answers import confidence
from ray_qa.reader.calibration import Scale

Floats = npt.NDArray[np.float64]
ROWS = st.lists(st.tuples(st.integers(0, 10).map(lambda tenths: tenths / 10), st.booleans()), min_size=1, max_size=40)


def arrays(rows: list[tuple[float, bool]]) -> tuple[Floats, npt.NDArray[np.bool_]]:
    return np.array([each for each, _ in rows]), np.array([right for _, right in rows])


def drawn(fit: BetaFit, rows: int = 40_000) -> tuple[Floats, npt.NDArray[np.bool_]]:
    random = np.random.default_rng(1)
    log_raw_N = -np.logaddexp(0, random.normal(0, 3, rows))
    return log_raw_N, random.random(rows) < fit.probability(log_raw_N)


def loss_of(fit: BetaFit, log_raw_N: Floats, right_N: npt.NDArray[np.bool_]) -> float:
    z_N = fit.slope * log_raw_N - fit.rest_slope * np.log(-np.expm1(log_raw_N)) + fit.shift
    away = (fit.slope - 1) ** 2 + (fit.rest_slope - 1) ** 2 + fit.shift**2
    return float(np.mean(np.logaddexp(0, np.where(right_N, -z_N, z_N)))) + PRIOR_PRECISION / 2 * away / len(z_N)


@given(
    st.lists(st.floats(-800, 1e-9), min_size=1, max_size=20), st.floats(1e-3, 10), st.floats(0, 10), st.floats(-20, 20)
)
def test_probabilities_are_those_that_annotate_gives(
    logs: list[float], slope: float, rest_slope: float, shift: float
) -> None:
    fit = BetaFit(slope=slope, rest_slope=rest_slope, shift=shift)
    scale = Scale(slope=slope, rest_slope=rest_slope, shift=shift)
    wanted = [confidence(log, 0.0, scale) for log in logs]
    np.testing.assert_allclose(fit.probability(np.array(logs)), wanted, rtol=1e-9, atol=1e-300)


def test_with_no_fit_the_probability_is_the_raw_one() -> None:
    raw_N = np.array([1e-9, 0.25, 0.5, 0.999, 1.0])
    np.testing.assert_allclose(BetaFit().probability(np.log(raw_N)), raw_N, rtol=1e-12)
    assert BetaFit().probability(np.array([1e-9, 0.0])).tolist() == [1.0, 1.0]


@pytest.mark.parametrize(("slope", "rest_slope", "shift"), [(1, 1, 0), (0.4, 0.4, -0.7), (1.5, 0.1, 0.3)])
def test_the_fit_finds_what_rows_were_drawn_by(slope: float, rest_slope: float, shift: float) -> None:
    found = fit_beta(*drawn(BetaFit(slope=slope, rest_slope=rest_slope, shift=shift)))
    assert (found.slope, found.rest_slope, found.shift) == pytest.approx((slope, rest_slope, shift), abs=0.12)


@given(st.lists(st.tuples(st.floats(-50, -1e-6), st.booleans()), min_size=1, max_size=30))
def test_nothing_near_has_less_loss_than_the_fit(rows: list[tuple[float, bool]]) -> None:
    log_raw_N, right_N = arrays(rows)
    fit = fit_beta(log_raw_N, right_N)
    least = loss_of(fit, log_raw_N, right_N)
    others = [(1, 1, 0), (0.01, 0, 0), (2, 1, -1), (fit.slope + 0.01, fit.rest_slope, fit.shift)]
    others += [(fit.slope, fit.rest_slope + 0.01, fit.shift), (fit.slope, fit.rest_slope, fit.shift - 0.01)]
    for slope, rest_slope, shift in others:
        if rest_slope > REST_SLOPES[1] or slope > SLOPES[1] or shift < SHIFTS[0]:
            continue  # what is out of bounds may lose less
        other = BetaFit(slope=slope, rest_slope=rest_slope, shift=shift)
        assert loss_of(other, log_raw_N, right_N) >= least - 1e-6


def test_confidence_never_falls_as_the_raw_probability_rises() -> None:
    log_raw_N, right_N = drawn(BetaFit(), 1_000)
    fit = fit_beta(log_raw_N, ~right_N)
    assert (fit.slope, fit.rest_slope) == (SLOPES[0], 0)


@pytest.mark.parametrize("seed", range(10))
def test_a_few_rows_and_rows_that_are_told_apart_give_sane_numbers(seed: int) -> None:
    random = np.random.default_rng(seed)
    few_N = -random.exponential(0.5, 10)
    apart_N = -random.exponential(0.05, 160)
    for log_raw_N, right_N in ((few_N, np.arange(10) > 2), (apart_N, apart_N > np.sort(apart_N)[2])):
        fit = fit_beta(log_raw_N, right_N)
        assert 0 < fit.slope < 3
        assert fit.rest_slope < 3
        assert abs(fit.shift) < 2
        assert fit.probability(log_raw_N).max() < 1


def test_of_thousands_of_rows_the_prior_changes_a_third_digit_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    log_raw_N, right_N = drawn(BetaFit(slope=1.05, rest_slope=0.05, shift=0.15), 3_000)
    fit = fit_beta(log_raw_N, right_N)
    monkeypatch.setattr("ray_qa.metrics.calibration.PRIOR_PRECISION", 0.0)
    without = fit_beta(log_raw_N, right_N)
    assert np.abs(fit.probability(log_raw_N) - without.probability(log_raw_N)).max() < 0.005


def test_one_certain_mistake_does_not_decide_the_fit() -> None:
    log_raw_N, right_N = drawn(BetaFit(), 2_000)
    fit, other = fit_beta(log_raw_N, right_N), fit_beta(np.append(log_raw_N, 0.0), np.append(right_N, False))
    assert np.abs(fit.probability(log_raw_N) - other.probability(log_raw_N)).max() < 0.05


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
    log_raw_N, right_N = drawn(BetaFit(), 5_000)
    true_N = BetaFit().probability(log_raw_N)
    chance = error_by_chance(true_N)
    assert 0.003 < chance < 0.02
    assert expected_calibration_error(true_N, right_N) == pytest.approx(chance, rel=0.8)
    assert expected_calibration_error(BetaFit(slope=3, rest_slope=3).probability(log_raw_N), right_N) > 4 * chance


def test_brier_and_log_loss_of_a_few_rows() -> None:
    confidence_N, right_N = np.array([1.0, 0.75, 0.5]), np.array([True, False, True])
    assert brier_score(confidence_N, right_N) == pytest.approx((0 + 0.75**2 + 0.25) / 3)
    assert log_loss(confidence_N, right_N) == pytest.approx((0 + math.log(4) + math.log(2)) / 3)


def test_the_log_loss_of_what_is_certain_is_nothing_without_a_sign() -> None:
    assert math.copysign(1, log_loss(np.ones(3), np.ones(3, np.bool_))) == 1


def test_a_certain_mistake_costs_much_and_not_everything() -> None:
    assert log_loss(np.array([1.0]), np.array([False])) == pytest.approx(12 * math.log(10))
