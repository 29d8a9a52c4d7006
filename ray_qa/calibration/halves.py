"""Two halves of rows: one to fit on, one to judge on, with no context in both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ray_qa.errors import InputError
from ray_qa.judging.judged_rows import JudgedRows

LEAST_ROWS = 20
"""Of a half: by Brier score confidence fitted to 10 is mostly worse than the raw one on others, to 20 mostly better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Halves:
    """The rows to fit on, and those to judge on."""

    fitting: JudgedRows
    held: JudgedRows


def split(rows: JudgedRows, seed: int, group: str = "context") -> Halves:
    """Deal whole contexts out at random until half the rows are taken; the same rows and seed, the same halves.

    Args:
        rows: to be dealt out.
        seed: of the chance.
        group: what ``context_N`` tells of, for messages.

    Raises:
        InputError: if all rows are of one context.
    """
    contexts, context_N, size_C = np.unique(rows.context_N, return_inverse=True, return_counts=True)
    if len(contexts) < 2:
        raise InputError(
            f"`predictions` must be of two {group}s or more, to be fitted on some and judged on others, but the "
            f"{len(rows):,} rows with gold answers are of {len(contexts)}"
        )
    order = np.random.default_rng(seed).permutation(len(contexts))
    before = np.cumsum(size_C[order]) - size_C[order]
    is_fitting_C = np.zeros(len(contexts), np.bool_)
    is_fitting_C[order[before < len(rows) / 2]] = True
    if is_fitting_C.all():  # the last one outweighs all others
        is_fitting_C[order[-1]] = False
    is_fitting_N = is_fitting_C[context_N]
    return Halves(fitting=rows.where(is_fitting_N), held=rows.where(~is_fitting_N))


def check_are_enough(halves: Halves, null_threshold: float | None) -> None:
    """Check that either half has rows enough.

    Args:
        halves: what is to be fitted to, and judged on.
        null_threshold: where rows that it leaves unanswered do not count.

    Raises:
        InputError: if not.
    """
    both = (halves.fitting, halves.held)
    if null_threshold is None:
        kind, (fitting, held) = "rows with gold answers", map(len, both)
    else:
        kind = "answered rows with gold answers"
        fitting, held = (int((-half.margin_N <= null_threshold).sum()) for half in both)
    if min(fitting, held) < LEAST_ROWS:
        raise InputError(
            f"`predictions` must have {LEAST_ROWS} {kind} or more in each half, but have {fitting:,} to fit on and "
            f"{held:,} to judge on; have more rows, of more contexts"
        )


def contexts_of(rows: JudgedRows) -> int:
    """How many contexts rows are of."""
    return len(np.unique(rows.context_N))
