"""Packing windows into batches: longest first, under a budget of padded tokens."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


def pack(tokens_W: Ints, batch_tokens: int) -> list[Ints]:
    """Group W windows so that windows × longest window of each group is at most ``batch_tokens``.

    Windows of like length share a batch, so little of it is padding. The order is longest first: a batch that does
    not fit the memory shows at once. A window longer than the budget gets a batch of its own.

    Returns:
        Index arrays that hold every window exactly once; a function of the lengths alone.
    """
    order = np.argsort(-tokens_W, kind="stable")
    batches = []
    first = 0
    while first < len(order):
        size = max(1, batch_tokens // max(1, int(tokens_W[order[first]])))
        batches.append(order[first : first + size])
        first += size
    return batches


def padding_waste(tokens_W: Ints, batches: list[Ints]) -> float:
    """Share of the computed tokens that are padding, from 0 to 1."""
    computed = sum(len(batch) * int(tokens_W[batch].max()) for batch in batches)
    return 1 - int(tokens_W.sum()) / computed if computed else 0.0
