from __future__ import annotations

import math

import numpy as np
import pytest

from ray_qa.metrics.comparison import paired_difference


def test_the_sign_test_is_the_binomial_one() -> None:
    first = np.array([1] * 9 + [0] * 2 + [1] * 5)
    second = np.array([0] * 9 + [1] * 2 + [1] * 5)
    found = paired_difference(first, second, np.arange(16))
    assert (found.better, found.worse) == (9, 2)
    assert found.difference == pytest.approx(7 / 16)
    tail = sum(math.comb(11, k) for k in range(3)) / 2**11
    assert found.p_value == pytest.approx(2 * tail)
    assert found.interval.low < found.difference < found.interval.high


def test_equal_answers_are_no_evidence() -> None:
    found = paired_difference(np.ones(4), np.ones(4), np.arange(4))
    assert (found.difference, found.p_value, found.interval.low, found.interval.high) == (0, 1, 0, 0)
