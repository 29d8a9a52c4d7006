from __future__ import annotations

import numpy as np
import pytest

from ray_qa.metrics import bootstrap
from ray_qa.metrics.bootstrap import mean_interval, ratio_interval


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
