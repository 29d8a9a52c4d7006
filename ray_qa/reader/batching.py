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


def batch_by_length(tokens_W: Ints, batch_tokens: int, token_multiple: int = 1) -> list[Ints]:
    """Group W windows so that windows × longest window of each group is at most ``batch_tokens``.

    With a ``token_multiple`` above 1 the longest counts as the next multiple of it, and there are few shapes in all:
    one number of windows for each length, and at the end powers of two.

    Windows of like length share a batch, so little of it is padding. The order is longest first: a batch that does
    not fit the memory shows at once. A window longer than the budget gets a batch of its own.

    Returns:
        Index arrays that hold every window exactly once; a function of the lengths alone.
    """
    order = np.argsort(-tokens_W, kind="stable")
    batches: list[Ints] = []
    first = 0
    while first < len(order):
        longest = padded_tokens(int(tokens_W[order[first]]), token_multiple)
        size = max(1, batch_tokens // max(1, longest))
        left = len(order) - first
        if token_multiple > 1 and left < size:
            size = 1 << (left.bit_length() - 1)
        batches.append(order[first : first + size])
        first += size
    return batches


def padded_tokens(tokens: int, token_multiple: int) -> int:
    """The next multiple."""
    return -(-tokens // token_multiple) * token_multiple


def padding_share(tokens_W: Ints, batches: Sequence[Ints], token_multiple: int = 1) -> float:
    """Share of the computed tokens that are padding, from 0 to 1."""
    computed = sum(len(batch) * padded_tokens(int(tokens_W[batch].max()), token_multiple) for batch in batches)
    return 1 - int(tokens_W.sum()) / computed if computed else 0.0
