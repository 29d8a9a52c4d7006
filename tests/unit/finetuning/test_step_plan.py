from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_qa.finetuning.step_plan import POOL_BATCHES, plan_epoch, share
from ray_qa.reader.arrays import Ints

lengths = st.lists(st.integers(1, 40), max_size=60)
seeds = st.integers(0, 2**40)


def plan(
    tokens: list[int],
    batch_size: int,
    *,
    seed: int = 3,
    epoch: int = 0,
    answered: list[bool] | None = None,
    negative_ratio: float | None = None,
) -> list[list[int]]:
    steps = plan_epoch(
        np.array(tokens, dtype=np.int64),
        np.array([True] * len(tokens) if answered is None else answered, dtype=np.bool_),
        batch_size=batch_size,
        seed=seed,
        epoch=epoch,
        negative_ratio=negative_ratio,
    )
    return [step.tolist() for step in steps]


def flat(steps: list[list[int]]) -> list[int]:
    return [window for step in steps for window in step]


def padding(tokens: Ints, steps: list[list[int]]) -> float:
    """The part of all padded tokens that is padding."""
    padded = sum(len(step) * int(tokens[step].max()) for step in steps)
    return 1 - int(tokens.sum()) / padded


@given(lengths, st.integers(1, 9), seeds, st.integers(0, 9))
def test_every_window_comes_exactly_once_an_epoch(tokens: list[int], batch_size: int, seed: int, epoch: int) -> None:
    steps = plan(tokens, batch_size, seed=seed, epoch=epoch)
    assert sorted(flat(steps)) == list(range(len(tokens)))
    assert steps == plan(tokens, batch_size, seed=seed, epoch=epoch)


@given(lengths, st.integers(1, 9), seeds)
def test_at_most_one_step_is_smaller_and_none_is_empty_or_larger(tokens: list[int], batch_size: int, seed: int) -> None:
    sizes = sorted((len(step) for step in plan(tokens, batch_size, seed=seed)), reverse=True)
    assert sizes == [batch_size] * (len(tokens) // batch_size) + [len(tokens) % batch_size] * (
        len(tokens) % batch_size > 0
    )


def test_at_most_one_step_is_smaller_over_many_pools() -> None:
    windows = 3 * POOL_BATCHES * 4 + 7
    sizes = [len(step) for step in plan([5] * windows, 4)]
    assert sorted(sizes) == [3] + [4] * (windows // 4)


@given(lengths, st.integers(1, 9), st.integers(1, 5))
def test_the_shares_of_all_workers_are_the_step_and_like_in_number_and_length(
    tokens: list[int], batch_size: int, workers: int
) -> None:
    for step in plan(tokens, batch_size):
        shares = [share(np.array(step), rank=rank, workers=workers).tolist() for rank in range(workers)]
        assert sorted(flat(shares)) == sorted(step)
        assert max(map(len, shares)) - min(map(len, shares)) <= 1
        longest = [tokens[own[0]] for own in shares if own]
        assert longest == sorted((tokens[window] for window in step), reverse=True)[: len(longest)]


def test_the_order_differs_by_seed_and_by_epoch() -> None:
    tokens = list(range(1, 101))
    orders = {tuple(flat(plan(tokens, 8, seed=seed, epoch=epoch))) for seed in (1, 2) for epoch in (0, 1, 2)}
    assert len(orders) == 6


def test_the_steps_come_in_random_order_and_not_by_length() -> None:
    tokens = np.random.default_rng(0).integers(20, 384, 4_000)
    longest = [int(tokens[step[0]]) for step in plan(tokens.tolist(), 32)]
    place = np.arange(len(longest))
    assert abs(float(np.corrcoef(place, longest)[0, 1])) < 0.3


def test_windows_of_like_length_share_a_step() -> None:
    tokens = np.random.default_rng(1).integers(20, 384, 10_000)
    at_random = np.random.default_rng(2).permutation(len(tokens))
    in_random_order = [at_random[at : at + 32].tolist() for at in range(0, len(tokens), 32)]
    assert padding(tokens, plan(tokens.tolist(), 32)) < 0.03 < 0.4 < padding(tokens, in_random_order)


def test_partners_change_from_epoch_to_epoch() -> None:
    tokens = [50 + window % 10 for window in range(1_000)]
    one, other = ({frozenset(step) for step in plan(tokens, 8, epoch=epoch)} for epoch in (0, 1))
    assert not one & other


@given(st.lists(st.booleans(), max_size=60), st.floats(0, 4), st.integers(1, 9), seeds)
def test_a_negative_ratio_keeps_all_with_an_answer_and_at_most_so_many_without(
    answered: list[bool], ratio: float, batch_size: int, seed: int
) -> None:
    steps = plan([7] * len(answered), batch_size, seed=seed, answered=answered, negative_ratio=ratio)
    windows = flat(steps)
    positives = [window for window in windows if answered[window]]
    negatives = [window for window in windows if not answered[window]]
    assert sorted(positives) == [window for window, has in enumerate(answered) if has]
    assert len(set(negatives)) == len(negatives) == min(answered.count(False), math.ceil(ratio * len(positives)))
    assert [len(step) for step in steps].count(batch_size) == len(windows) // batch_size


def test_windows_without_an_answer_are_drawn_anew_every_epoch() -> None:
    answered = [window % 10 == 0 for window in range(200)]
    drawn = [
        {window for window in flat(plan([7] * 200, 8, epoch=epoch, answered=answered, negative_ratio=1)) if window % 10}
        for epoch in range(200)
    ]
    assert {len(negatives) for negatives in drawn} == {20}
    assert len(set().union(*drawn)) == 180


@pytest.mark.parametrize(("ratio", "negatives"), [(None, 6), (0, 0), (0.5, 2), (1, 3), (100, 6)])
def test_a_ratio_of_none_keeps_every_window(ratio: float | None, negatives: int) -> None:
    windows = flat(plan([7] * 9, 4, answered=[True, False, False] * 3, negative_ratio=ratio))
    assert len(windows) == 3 + negatives


def test_no_windows_make_no_steps() -> None:
    assert plan([], 4) == []
    assert plan([3, 4], 4, answered=[False, False], negative_ratio=2) == []
