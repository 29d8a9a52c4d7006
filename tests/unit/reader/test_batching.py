from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_qa.reader.batching import batch_by_length, padded_tokens, padding_share

lengths = st.lists(st.integers(1, 400), max_size=60)
budgets = st.integers(1, 2_000)


@given(lengths, budgets)
def test_every_window_is_packed_exactly_once(tokens: list[int], budget: int) -> None:
    batches = batch_by_length(np.array(tokens, dtype=np.int64), budget)
    batched = [window for batch in batches for window in batch.tolist()]
    assert sorted(batched) == list(range(len(tokens)))
    assert all(len(batch) for batch in batches)


@given(lengths, budgets)
def test_no_batch_is_above_the_budget_unless_it_is_one_long_window(tokens: list[int], budget: int) -> None:
    for batch in batch_by_length(np.array(tokens, dtype=np.int64), budget):
        longest = max(tokens[window] for window in batch)
        assert len(batch) * longest <= budget or len(batch) == 1


@given(lengths, budgets)
def test_batches_are_as_full_as_the_budget_allows(tokens: list[int], budget: int) -> None:
    for batch in batch_by_length(np.array(tokens, dtype=np.int64), budget)[:-1]:
        assert (len(batch) + 1) * max(tokens[window] for window in batch) > budget


@given(lengths, budgets)
def test_the_longest_windows_come_first(tokens: list[int], budget: int) -> None:
    batches = batch_by_length(np.array(tokens, dtype=np.int64), budget)
    batched = [tokens[window] for batch in batches for window in batch]
    assert batched == sorted(tokens, reverse=True)


def test_windows_of_one_length_keep_their_order_so_that_batching_is_repeatable() -> None:
    tokens = np.array([7, 9, 7, 9, 7] * 20)
    first, again = (np.concatenate(batch_by_length(tokens.copy(), 40)).tolist() for _ in range(2))
    assert first == again == [*np.flatnonzero(tokens == 9), *np.flatnonzero(tokens == 7)]


@pytest.mark.parametrize("budget", [1_024, 2_048, 16_384])
def test_less_than_five_percent_of_a_real_corpus_is_padding(budget: int) -> None:
    random = np.random.default_rng(5)
    contexts = np.clip(random.lognormal(mean=4.9, sigma=0.45, size=2_000), 20, 370)  # as SQuAD's are
    tokens = contexts.astype(np.int64) + random.integers(8, 25, size=2_000)
    assert 0 < padding_share(tokens, batch_by_length(tokens, budget)) < 0.05
    unsorted = np.split(np.arange(2_000), 200)
    assert padding_share(tokens, unsorted) > 0.3  # the corpus is one where batching matters


def test_waste_is_the_share_of_computed_tokens_that_are_padding() -> None:
    tokens = np.array([4, 2, 5])
    assert padding_share(tokens, [np.array([0, 1]), np.array([2])]) == pytest.approx(2 / 13)
    assert padding_share(np.zeros(0, np.int64), []) == 0.0


@given(lengths, budgets, st.sampled_from([8, 16]))
def test_with_a_multiple_every_window_is_packed_once_in_few_shapes(
    tokens: list[int], budget: int, multiple: int
) -> None:
    batches = batch_by_length(np.array(tokens, dtype=np.int64), budget, multiple)
    assert sorted(window for batch in batches for window in batch.tolist()) == list(range(len(tokens)))
    for batch in batches:
        longest = padded_tokens(max(tokens[window] for window in batch), multiple)
        full = max(1, budget // longest)
        assert len(batch) == full or (len(batch) < full and len(batch).bit_count() == 1)


def test_with_a_multiple_less_than_five_percent_of_a_real_corpus_is_padding() -> None:
    random = np.random.default_rng(5)
    contexts = np.clip(random.lognormal(mean=4.9, sigma=0.45, size=2_000), 20, 370)
    tokens = contexts.astype(np.int64) + random.integers(8, 25, size=2_000)
    batches = batch_by_length(tokens, 2_048, 16)
    assert padding_share(tokens, batches, 16) < 0.05
    shapes = {(len(batch), padded_tokens(int(tokens[batch].max()), 16)) for batch in batches}
    assert len(shapes) < 40
