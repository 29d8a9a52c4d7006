"""Showing how a training run goes, from the lines of its metrics log."""

from __future__ import annotations

from collections.abc import Sequence

from ray_qa.metrics_log import Metrics
from ray_qa.progress import duration


class TrainingProgress:
    """The latest of everything that the log tells. Thread-safe enough: every update replaces whole values."""

    def __init__(self) -> None:
        self._stage = "starting Ray"
        self._latest: Metrics = {}
        self._f1: float | None = None

    def enter(self, stage: str) -> None:
        """Say what is being done while there is no step to tell of."""
        self._stage, self._latest = stage, {}

    def update(self, lines: Sequence[Metrics]) -> None:
        """Take in lines of the log."""
        for line in lines:
            if "loss" in line:
                self._latest = line
            else:
                self._f1 = line["eval_f1"]

    def line(self) -> str:
        """The state of the run in one line."""
        latest = self._latest
        if not latest:
            return self._stage
        rate = latest["windows_per_second"]
        left = (latest["steps"] - latest["step"]) * latest["step_seconds"]
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
