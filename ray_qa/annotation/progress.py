"""How far an annotate run is, in one line."""

from __future__ import annotations

import time

from ray_qa.annotation.summary import Counts, UnitSummary
from ray_qa.runs.live_line import duration


class Progress:
    """What is known of a run so far. Thread-safe enough: every update replaces whole values."""

    def __init__(self, *, rows: int) -> None:
        self._rows = rows
        self._units = 0
        self._already = 0
        self._counts = Counts()
        self._done_units = 0
        self._stage = "starting Ray"
        self._first_start = float("inf")
        self._replicas: set[str] = set()

    def enter(self, stage: str) -> None:
        """Say what is being done while no unit has been scored."""
        self._stage = stage

    def go_on_from(self, done: Counts, done_units: int, *, of: int) -> None:
        """Take in how many units there are, and what earlier runs have done of them."""
        self._units = of
        self._already = done.rows
        self._counts = done
        self._done_units = done_units

    def add(self, summary: UnitSummary) -> None:
        """Count one more published unit."""
        self._counts += summary.counts
        self._done_units += 1
        self._first_start = min(self._first_start, summary.started)
        self._replicas.add(summary.replica)

    def line(self) -> str:
        """The state of the run in one line."""
        counts = self._counts
        if not self._replicas:
            done = f" · {counts.rows:,} of {self._rows:,} rows were done before" if counts.rows else ""
            return f"{self._stage}{done}"
        rate = (counts.rows - self._already) / max(1e-9, time.time() - self._first_start)
        left = (self._rows - counts.rows) / rate if rate else 0.0
        return " · ".join(
            [
                f"{counts.rows:,}/{self._rows:,} rows",
                f"{rate:,.1f} rows/s",
                f"{counts.answered:,} answered",
                f"{counts.no_answer:,} no answer",
                f"{counts.failed:,} failed",
                f"unit {self._done_units:,}/{self._units:,}",
                f"{len(self._replicas)} replica{'s'[: len(self._replicas) != 1]}",
                f"{duration(left)} left",
            ]
        )
