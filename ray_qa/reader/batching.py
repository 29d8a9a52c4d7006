"""Windows into batches: longest first, under a budget of padded tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ray_qa.reader.arrays import Ints

BATCH_TOKENS = {
    "reading": {"cpu": 1_024, "cuda": 16_384, "mps": 8_192},
    "training": {"cpu": 4_096, "cuda": 16_384, "mps": 8_192},
}
"""Tokens of a pass that keep a device busy with little padding; in reading on a CPU, for each thread."""


@dataclass(slots=True)
class BatchBudget:
    """Most tokens of a pass, padding included; it goes down for good when a batch does not fit the device's memory."""

    tokens: int


def automatic_batch_tokens(work: Literal["reading", "training"], device: str, threads: int) -> int:
    """What ``batch_tokens: auto`` stands for.

    Args:
        work: training keeps activations, and shares its threads otherwise.
        device: kind of device: ``cpu``, ``cuda`` or ``mps``.
        threads: those of one forward pass on a CPU.
    """
    return BATCH_TOKENS[work][device] * (threads if (work, device) == ("reading", "cpu") else 1)


def batch_by_length(tokens_W: Ints, batch_tokens: int) -> list[Ints]:
    """Group W windows so that windows × longest window of each group is at most ``batch_tokens``.

    Windows of like length share a batch, so little of it is padding. The order is longest first: a batch that does
    not fit the memory shows at once. A window longer than the budget gets a batch of its own.

    Returns:
        Index arrays that hold every window exactly once; a function of the lengths alone.
    """
    order = np.argsort(-tokens_W, kind="stable")
    batches: list[Ints] = []
    first = 0
    while first < len(order):
        size = max(1, batch_tokens // max(1, int(tokens_W[order[first]])))
        batches.append(order[first : first + size])
        first += size
    return batches


def padding_share(tokens_W: Ints, batches: Sequence[Ints]) -> float:
    """Share of the computed tokens that are padding, from 0 to 1."""
    computed = sum(len(batch) * int(tokens_W[batch].max()) for batch in batches)
    return 1 - int(tokens_W.sum()) / computed if computed else 0.0
