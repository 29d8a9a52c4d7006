"""Showing how a training run goes, from the lines of its metrics log."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from ray_qa.finetuning.tracking.metrics_log import EVALUATED, TRAINED, Metrics, kind_of
from ray_qa.runs.live_line import duration

SMOOTHED_LINES = 10
"""The time that is left is told from the pace of so many lines."""


class TrainingProgress:
    """The latest of everything that the log tells. Thread-safe enough: every update replaces whole values."""

    def __init__(self) -> None:
        self._stage = "starting Ray"
        self._known: Sequence[Metrics] = ()
        self._steps: Sequence[Metrics] = ()
        self._f1: float | None = None

    def enter(self, stage: str) -> None:
        """Say what is being done while there is no new line to tell of."""
        self._stage, self._steps = stage, ()

    def update(self, lines: Sequence[Metrics]) -> None:
        """Take in all lines of the log; nothing changes where they are those of the last time."""
        if lines == self._known:
            return
        self._known = lines
        self._steps = [line for line in lines if kind_of(line) == TRAINED][-SMOOTHED_LINES:]
        self._f1 = next((line[EVALUATED] for line in reversed(lines) if kind_of(line) == EVALUATED), None)

    def line(self) -> str:
        """The state of the run in one line."""
        steps = self._steps
        if not steps:
            return self._stage
        latest = steps[-1]
        rate = latest["windows_per_second"]
        left = (latest["steps"] - latest["step"]) * fmean(line["step_seconds"] for line in steps)
        parts = [
            f"step {latest['step']:,}/{latest['steps']:,}",
            f"loss {latest['loss']:.3f}",
            f"learning rate {latest['learning_rate']:.2e}",
            f"{rate:,.1f} windows/s",
            f"{latest['tokens_per_second']:,.0f} tokens/s",
        ]
        if self._f1 is not None:
            parts.append(f"eval F1 {self._f1:.2f}")
        if bad := latest["bad_steps"]:
            parts.append(f"{bad:,.0f} bad step{'s'[: bad != 1]}")
        return " · ".join([*parts, f"{duration(left)} left"])
