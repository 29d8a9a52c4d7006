"""Showing how a training run goes, from the lines of its metrics log and from its beat in between."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

from ray_qa.finetuning.tracking.beat import BUCKET_SECONDS, Beat, read_beat
from ray_qa.finetuning.tracking.metrics_log import EVALUATED, TRAINED, Metrics, kind_of
from ray_qa.runs.live_line import ProgressLine, duration
from ray_qa.storage.remote import Place

SMOOTHED_LINES = 10
"""The time that is left is told from the pace of so many lines."""


class TrainingProgress:
    """The latest of everything that the log and the beat tell.

    Thread-safe enough: every update replaces whole values.
    """

    def __init__(self, beat: Place) -> None:
        self._place = beat
        self._beat: Beat | None = None
        self._looked = float("-inf")
        self._stage = ""
        self._before: Beat | None = None
        self._known: Sequence[Metrics] = ()
        self._steps: Sequence[Metrics] = ()
        self._f1: float | None = None

    def enter(self, stage: str) -> None:
        """Say what is being done while there is nothing new to tell of: no line, and no other beat than now."""
        self._stage, self._steps, self._before = stage, (), self._latest_beat()

    def update(self, lines: Sequence[Metrics]) -> None:
        """Take in all lines of the log; nothing changes where they are those of the last time."""
        if lines == self._known:
            return
        self._known = lines
        self._steps = [line for line in lines if kind_of(line) == TRAINED][-SMOOTHED_LINES:]
        self._f1 = next((line[EVALUATED] for line in reversed(lines) if kind_of(line) == EVALUATED), None)

    def line(self) -> ProgressLine:
        """The state of the run."""
        told: list[Beat] = [*self._steps]
        beat = self._latest_beat()
        if beat is not None and beat != self._before and not (told and told[-1]["step"] > beat["step"]):
            told.append(beat)
        if not told:
            return ProgressLine(text=self._stage, figures={"stage": self._stage})
        latest = told[-1]
        figures = {name: value for name, value in latest.items() if name != "time" and value != ""}
        step = f"step {latest['step']:,}/{latest['steps']:,}"
        if doing := latest.get("doing"):
            step += f", {doing}"
        if TRAINED not in latest:
            return ProgressLine(text=step, figures=figures)
        parts = [
            step,
            f"loss {latest['loss']:.3f}",
            f"learning rate {latest['learning_rate']:.2e}",
            f"{latest['windows_per_second']:,.1f} windows/s",
            f"{latest['tokens_per_second']:,.0f} tokens/s",
        ]
        if self._f1 is not None:
            parts.append(f"eval F1 {self._f1:.2f}")
            figures[EVALUATED] = self._f1
        if bad := latest["bad_steps"]:
            parts.append(f"{bad:,.0f} bad step{'s'[: bad != 1]}")
        left = (latest["steps"] - latest["step"]) * fmean(line["step_seconds"] for line in told)
        parts.append(f"{duration(left)} left")
        return ProgressLine(text=" · ".join(parts), figures=figures | {"seconds_left": round(left)})

    def _latest_beat(self) -> Beat | None:
        """The beat; of a bucket it is asked no more often than it is published there."""
        if isinstance(self._place, Path) or time.monotonic() - self._looked >= BUCKET_SECONDS:
            self._beat, self._looked = read_beat(self._place), time.monotonic()
        return self._beat
