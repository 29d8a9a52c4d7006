"""Which windows make which optimizer step on which worker: pure functions of seed, epoch, lengths and workers."""

from __future__ import annotations

import numpy as np

from ray_qa.reader.arrays import Bools, Ints

POOL_BATCHES = 64
"""Windows are sorted by length among those of so many batches: enough for little padding, in an order still random."""


def plan_epoch(
    tokens_W: Ints, answered_W: Bools, *, batch_size: int, seed: int, epoch: int, negative_ratio: float | None = None
) -> list[Ints]:
    """The optimizer steps of one epoch, in order.

    Every window comes exactly once (of those without an answer at most ``negative_ratio`` for each with one, drawn anew
    every epoch). Windows of like length share a step, and the steps come in random order. The last step's worth of
    windows that do not fill a batch make a smaller one.

    Args:
        tokens_W: the length of each window.
        answered_W: whether a window holds its answer, this epoch.
        batch_size: windows of one step over all workers.
        seed: the run's seed.
        epoch: which pass over the windows, from 0.
        negative_ratio: most windows without an answer for each window with one; ``None``: all.

    Returns:
        For each step the indices of its windows, longest first.
    """
    draw = np.random.default_rng([seed, epoch, 1])
    order: Ints = draw.permutation(len(tokens_W))
    if negative_ratio is not None:
        order = _fewer_negatives(order, answered_W, negative_ratio)
    pool = batch_size * POOL_BATCHES
    steps = []
    for first in range(0, len(order), pool):
        drawn = order[first : first + pool]
        longest_first = drawn[np.argsort(-tokens_W[drawn], kind="stable")]
        steps += [longest_first[at : at + batch_size] for at in range(0, len(drawn), batch_size)]
    return [steps[nth] for nth in draw.permutation(len(steps))]


def share(window_W: Ints, *, rank: int, workers: int) -> Ints:
    """The windows of a step that one worker takes: dealt in turn, so that all have like lengths and numbers."""
    return window_W[rank::workers]


def _fewer_negatives(order: Ints, answered_W: Bools, negative_ratio: float) -> Ints:
    answered = answered_W[order]
    most = int(np.ceil(negative_ratio * np.count_nonzero(answered)))
    nth_negative = np.cumsum(~answered)
    return order[answered | (nth_negative <= most)]
