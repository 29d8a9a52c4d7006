from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_qa.metrics.selective import RiskCoverage, risk_coverage

FEW = st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=6)
MANY = st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=1, max_size=40)


def curve(rows: list[tuple[int, bool]]) -> RiskCoverage:
    return risk_coverage(np.array([float(value) for value, _ in rows]), np.array([lost for _, lost in rows]))


@given(FEW)
def test_risk_is_the_mean_over_all_orders_of_rows_of_the_same_confidence(rows: list[tuple[int, bool]]) -> None:
    orders = [
        order for order in itertools.permutations(rows) if [v for v, _ in order] == sorted((v for v, _ in rows))[::-1]
    ]
    risks = np.mean([[np.mean([lost for _, lost in order[:taken]]) for taken in _taken(rows)] for order in orders], 0)
    np.testing.assert_allclose(curve(rows).risk_N, risks)
    assert curve(rows).aurc == pytest.approx(risks.mean())


@given(MANY)
def test_augrc_is_what_auroc_and_accuracy_make_of_it(rows: list[tuple[int, bool]]) -> None:
    right = [value for value, lost in rows if not lost]
    wrong = [value for value, lost in rows if lost]
    misplaced = sum((w > r) + (w == r) / 2 for w in wrong for r in right)
    wanted = (misplaced + len(wrong) ** 2 / 2) / len(rows) ** 2
    assert curve(rows).augrc == pytest.approx(wanted)


@given(MANY)
def test_all_rows_taken_lose_the_mean_loss(rows: list[tuple[int, bool]]) -> None:
    assert curve(rows).coverage_N[-1] == 1
    assert curve(rows).risk_at(1) == pytest.approx(np.mean([lost for _, lost in rows]))


def test_the_risk_at_a_coverage_is_that_of_so_many_rows_of_most_confidence() -> None:
    found = risk_coverage(np.array([0.9, 0.1, 0.8, 0.4, 0.3]), np.array([0.0, 1.0, 0.5, 1.0, 1.0]))
    assert found.risk_at(0.2) == 0
    assert found.risk_at(0.4) == 0.25
    assert found.risk_at(0.41) == 0.5


def test_a_perfect_order_has_the_least_areas() -> None:
    lost = np.arange(20) >= 14
    best, worst = risk_coverage(-np.arange(20.0), lost), risk_coverage(np.arange(20.0), lost)
    assert best.aurc < worst.aurc
    assert best.augrc == pytest.approx(0.3**2 / 2)
    assert worst.augrc == pytest.approx(0.3 * 0.7 + 0.3**2 / 2)


def _taken(rows: list[tuple[int, bool]]) -> range:
    return range(1, len(rows) + 1)
