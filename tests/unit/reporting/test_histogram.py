from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_qa.reporting.histogram import MOST_BINS, Histogram

VALUES = st.lists(st.integers(-500, 500).map(float), min_size=1, max_size=60)


@given(st.lists(VALUES, min_size=1, max_size=4))
def test_values_are_counted_between_edges_however_they_come(batches: list[list[float]]) -> None:
    histogram = Histogram(1)
    for batch in batches:
        histogram.add(np.array(batch))
    values = np.concatenate([np.array(batch) for batch in batches])
    edges = np.arange(-500.0, 511, 10)
    assert histogram.between(edges).tolist() == np.histogram(values, edges)[0].tolist()
    assert histogram.total == len(values)


@given(VALUES, st.floats(0.01, 1))
def test_a_quantile_is_the_value_that_this_share_does_not_exceed(values: list[float], share: float) -> None:
    histogram = Histogram(1)
    histogram.add(np.array(values))
    found = histogram.quantile(share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values)
    assert sum(value < found for value in values) < share * len(values)


def test_a_range_of_any_size_takes_a_bounded_number_of_bins_and_loses_no_value() -> None:
    histogram = Histogram(0.001)
    for decade in range(8):
        histogram.add(np.linspace(0, 10.0**decade, 3_000))
    assert len(histogram._counts) <= MOST_BINS
    assert histogram.total == 24_000
    assert histogram.between(np.array([-np.inf, np.inf])).tolist() == [24_000]
    assert histogram.quantile(0.5) == pytest.approx(4_000, abs=2 * histogram.width + 2_000)


def test_what_is_no_number_is_passed_over() -> None:
    histogram = Histogram(1)
    histogram.add(np.array([np.nan, np.inf, 3.0]))
    assert histogram.total == 1
    assert np.isnan(Histogram(1).quantile(0.5))
