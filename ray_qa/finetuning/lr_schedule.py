"""The learning rate over the steps of a run."""

from __future__ import annotations

import math
from typing import Literal

Schedule = Literal["linear", "cosine", "constant"]


def learning_rate_factor(step: int, *, steps: int, warmup_steps: int, schedule: Schedule) -> float:
    """What the learning rate is multiplied with at a step.

    It rises in equal parts to 1 over the warm-up, then falls linearly or along half a cosine (Loshchilov & Hutter 2017,
    without restarts) towards 0, which it would reach one step after the last; or stays.

    Args:
        step: the step, from 0.
        steps: all steps of the run.
        warmup_steps: those of the warm-up.
        schedule: its form after the warm-up.
    """
    if step < warmup_steps:
        return (step + 1) / warmup_steps
    if schedule == "constant":
        return 1.0
    progress = (step - warmup_steps) / max(1, steps - warmup_steps)
    return 1 - progress if schedule == "linear" else 0.5 * (1 + math.cos(math.pi * progress))


def warmup_steps(warmup: float, steps: int) -> int:
    """Steps of the warm-up: ``warmup`` is a number of steps, or below 1 a fraction of them."""
    return round(warmup * steps) if warmup < 1 else min(int(warmup), steps)
