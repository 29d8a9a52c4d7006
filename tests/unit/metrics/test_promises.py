"""Promises are kept as often as they say; the threshold that looks best is not."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_qa.metrics.promises import (
    Trial,
    fewest_rows,
    fewest_without_error,
    highest_precision,
    labels_that_would_do,
    promised_threshold,
)

CORPUS = np.sort(np.random.default_rng(1).normal(0, 4, 20_000))
RIGHT = 1 / (1 + np.exp(0.45 * CORPUS - 1.8))
"""How often rows of each excess are right: surer answers more often."""
PRECISION = np.cumsum(RIGHT) / np.arange(1, len(CORPUS) + 1)
"""Of the rows up to each."""


def drawn(rows: int, seed: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    random = np.random.default_rng(seed)
    which = random.integers(0, len(CORPUS), rows)
    return CORPUS[which], random.random(rows) < RIGHT[which]


def precision_of(threshold: float) -> float:
    return float(PRECISION[np.searchsorted(CORPUS, threshold, side="right") - 1])


def looks_best(excess_N: npt.NDArray[Any], right_N: npt.NDArray[Any], target: float) -> float:
    """The loosest threshold whose precision on the labelled rows themselves reaches the target."""
    order = np.argsort(excess_N)
    precision = np.cumsum(right_N[order]) / np.arange(1, len(order) + 1)
    return float(excess_N[order][np.flatnonzero(precision >= target)[-1]])


@pytest.mark.parametrize(("rows", "target"), [(1_000, 0.9), (300, 0.8)])
def test_a_promise_is_broken_no_more_often_than_it_says_where_the_best_threshold_breaks_it_half_the_time(
    rows: int, target: float
) -> None:
    times, confidence = 200, 0.95
    broken = best_broken = 0
    shares = []
    for seed in range(times):
        excess_N, right_N = drawn(rows, seed)
        kept = promised_threshold(CORPUS, excess_N, right_N, target, confidence).kept
        broken += kept is not None and precision_of(kept.threshold) < target
        shares.append(0.0 if kept is None else kept.share)
        best_broken += precision_of(looks_best(excess_N, right_N, target)) < target
    # Five in a hundred, and three standard deviations of chance.
    assert broken <= times * (1 - confidence) + 3 * (times * confidence * (1 - confidence)) ** 0.5
    assert best_broken > 0.35 * times
    possible = float(np.mean(target <= PRECISION))
    assert np.mean(shares) > 0.6 * possible


def test_precision_that_no_threshold_has_is_hardly_ever_promised() -> None:
    excess_N = np.random.default_rng(0).choice(CORPUS, (300, 400))
    right_N = np.random.default_rng(1).random((300, 400)) < 0.895
    promises = [promised_threshold(CORPUS, *both, 0.9, 0.95).kept for both in zip(excess_N, right_N, strict=True)]
    assert sum(each is not None for each in promises) < 26  # 5 % and three standard deviations


def test_perfect_answers_are_all_promised() -> None:
    excess_N, _ = drawn(200, 0)
    promise = promised_threshold(CORPUS, excess_N, np.ones(200, np.bool_), 0.9, 0.95)
    assert promise.kept is promise.trials[-1]
    assert promise.kept is not None
    assert (promise.kept.share, promise.kept.accepted, promise.kept.right) == (1.0, 200, 200)


def test_tests_go_from_the_strictest_on_and_end_with_the_first_that_fails() -> None:
    excess_N = np.linspace(CORPUS[0], CORPUS[-1], 500)
    right_N = excess_N < -4
    promise = promised_threshold(CORPUS, excess_N, right_N, 0.9, 0.95)
    thresholds = [each.threshold for each in promise.trials]
    assert thresholds == sorted(thresholds)
    assert [each.p_value <= 0.05 for each in promise.trials] == [True] * (len(thresholds) - 1) + [False]
    assert promise.kept is promise.trials[-2]


def test_what_is_tested_does_not_depend_on_labels() -> None:
    excess_N, right_N = drawn(500, 3)
    some = promised_threshold(CORPUS, excess_N, right_N, 0.8, 0.95).trials
    all_right = promised_threshold(CORPUS, excess_N, np.ones(500, np.bool_), 0.8, 0.95).trials
    assert [each.threshold for each in some] == [each.threshold for each in all_right[: len(some)]]


def test_rows_of_one_excess_are_accepted_together() -> None:
    excess_M = np.repeat([0.0, 1.0], [700, 300])
    promise = promised_threshold(excess_M, np.repeat([0.0, 1.0], [140, 60]), np.repeat([1, 0], [140, 60]), 0.9, 0.95)
    assert promise.kept is not None
    assert (promise.kept.threshold, promise.kept.share, promise.kept.accepted) == (0.0, 0.7, 140)


def test_too_few_labels_are_not_tested_at_all() -> None:
    excess_N, right_N = drawn(59, 0)
    assert promised_threshold(CORPUS, excess_N, right_N, 0.9, 0.95).trials == ()


@pytest.mark.parametrize(
    ("target", "confidence", "alone", "wanted"),
    [(0.95, 0.95, 59, 118), (0.9, 0.95, 29, 60), (0.99, 0.95, 299, 598), (0.5, 0.75, 2, 60)],
)
def test_how_many_rows_a_promise_takes(target: float, confidence: float, alone: int, wanted: int) -> None:
    assert target**alone <= 1 - confidence + 1e-12 < target ** (alone - 1)
    assert (fewest_without_error(target, confidence), fewest_rows(target, confidence)) == (alone, wanted)


def test_how_many_labels_would_do_is_told_where_any_would() -> None:
    tested = Trial(threshold=0.0, share=0.25, accepted=100, right=93, p_value=0.2)
    labels = labels_that_would_do(tested, 0.9, 0.95)
    assert labels is not None
    assert 600 < labels < 1_600
    enough = Trial(threshold=0.0, share=1.0, accepted=1_000, right=1_000, p_value=0.0)
    assert labels_that_would_do(enough, 0.95, 0.95) == 59
    for right in (90, 89, 0):
        hopeless = Trial(threshold=0.0, share=0.25, accepted=100, right=right, p_value=0.9)
        assert labels_that_would_do(hopeless, 0.9, 0.95) is None
    hopeful = Trial(threshold=0.0, share=0.25, accepted=100, right=88, p_value=0.8)
    assert labels_that_would_do(hopeful, 0.9, 0.95, rate=0.93) == labels
    assert labels_that_would_do(hopeful, 0.9, 0.95, rate=0.9001, most=1_000) is None


@pytest.mark.parametrize(("right", "accepted"), [(0, 60), (46, 93), (59, 60), (900, 1_000)])
def test_the_highest_precision_is_that_under_which_so_few_right_ones_are_just_possible(
    right: int, accepted: int
) -> None:
    trial = Trial(threshold=0.0, share=1.0, accepted=accepted, right=right, p_value=0.5)
    highest = highest_precision(trial)
    so_few = sum(
        math.comb(accepted, ones) * highest**ones * (1 - highest) ** (accepted - ones) for ones in range(right + 1)
    )
    assert so_few == pytest.approx(0.05)
    assert highest > right / accepted


def test_rows_of_which_none_is_wrong_may_always_be_right() -> None:
    for accepted in (0, 60):
        trial = Trial(threshold=0.0, share=1.0, accepted=accepted, right=accepted, p_value=0.5)
        assert highest_precision(trial) == 1


@given(
    st.integers(60, 400),
    st.floats(0, 1),
    st.floats(0.05, 0.95),
    st.floats(0.5, 0.99),
    st.floats(0.5, 0.99),
    st.booleans(),
)
def test_less_confidence_never_needs_more_labels(
    accepted: int, part: float, target: float, one: float, other: float, at_best: bool
) -> None:
    trial = Trial(threshold=0.0, share=0.3, accepted=accepted, right=int(part * accepted), p_value=0.5)
    rate = highest_precision(trial) if at_best else None
    fewer, more = (labels_that_would_do(trial, target, each, rate, most=100_000) for each in sorted((one, other)))
    assert more is None or (fewer is not None and fewer <= more)
