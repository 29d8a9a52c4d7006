"""Cutting contexts into windows: pure arithmetic on token counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ray_qa.reader.arrays import Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """W windows over R rows, in row order. Every array has shape ``(W,)``.

    ``start`` and ``stop`` are half-open positions among the row's context tokens; ``tokens`` is the length of the
    whole window: question, context slice and special tokens.
    """

    row: Ints
    start: Ints
    stop: Ints
    tokens: Ints

    def __len__(self) -> int:
        return len(self.row)


def cut_windows(
    question_tokens_R: Ints, context_tokens_R: Ints, *, max_tokens: int, stride: int, special_tokens: int
) -> Windows:
    """Cut every row's context into windows that overlap by ``stride`` tokens.

    A row's capacity is ``max_tokens`` less its question and the special tokens. Windows start at 0 and advance by
    capacity − stride; the first that reaches the end of the context is the last. Rows without context tokens give none.

    Raises:
        ValueError: if some row's capacity is not above ``stride``, so that its windows would not advance.
    """
    capacity_R = max_tokens - special_tokens - question_tokens_R
    step_R = capacity_R - stride
    if np.any(step_R[context_tokens_R > 0] <= 0):
        raise ValueError(f"`stride` must be less than every window's room for context, but is {stride}")
    beyond_first_R = np.maximum(context_tokens_R - capacity_R, 0)
    count_R = np.where(context_tokens_R > 0, 1 + -(-beyond_first_R // np.maximum(step_R, 1)), 0)

    row = np.repeat(np.arange(len(count_R)), count_R)
    first_window_R = np.cumsum(count_R) - count_R
    nth_in_row = np.arange(len(row)) - first_window_R[row]
    start = nth_in_row * step_R[row]
    stop = np.minimum(start + capacity_R[row], context_tokens_R[row])
    return Windows(row=row, start=start, stop=stop, tokens=stop - start + question_tokens_R[row] + special_tokens)
