from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ray_qa.sampling.choice import ReadableRows, drawn_at_random, nearest_to_the_threshold, shares_of

strata = st.lists(st.integers(0, 3), min_size=1, max_size=60)


def rows_of(stratum_R: list[int]) -> ReadableRows:
    count = len(stratum_R)
    return ReadableRows(
        row_R=2 * np.arange(count),
        distance_R=np.abs(np.arange(count) - count / 3),
        stratum_R=np.array(stratum_R, np.int64),
    )


@given(strata, st.integers(1, 80), st.integers(0, 3))
def test_as_many_rows_are_drawn_as_are_wanted_each_once_and_of_each_stratum_its_share(
    stratum_R: list[int], wanted: int, seed: int
) -> None:
    rows = rows_of(stratum_R)
    for chosen in (drawn_at_random(rows, wanted, seed), nearest_to_the_threshold(rows, wanted)):
        assert len(chosen) == min(wanted, len(stratum_R))
        assert chosen.tolist() == sorted(set(chosen.tolist()))
        taken = Counter(stratum_R[row // 2] for row in chosen.tolist())
        for stratum, count in Counter(stratum_R).items():
            assert abs(taken[stratum] - count * len(chosen) / len(stratum_R)) < 1


@given(st.lists(st.integers(0, 50), min_size=1, max_size=6), st.integers(0, 400))
def test_shares_add_up_and_are_never_more_than_there_are(counts: list[int], wanted: int) -> None:
    shares = shares_of(np.array(counts, np.int64), wanted)
    assert shares.sum() == min(wanted, sum(counts))
    assert (shares <= np.array(counts)).all()


def test_every_row_is_drawn_equally_often() -> None:
    rows = rows_of([0] * 10 + [1] * 30)
    drawn = Counter(row for seed in range(2_000) for row in drawn_at_random(rows, 8, seed).tolist())
    assert len(drawn) == 40
    assert all(abs(times - 400) < 95 for times in drawn.values())  # five standard deviations
    assert drawn_at_random(rows, 8, 7).tolist() == drawn_at_random(rows, 8, 7).tolist()


def test_the_rows_nearest_to_the_threshold_are_taken() -> None:
    assert nearest_to_the_threshold(rows_of([0] * 30), 3).tolist() == [18, 20, 22]
