"""How far an annotate run is, in one line."""

from __future__ import annotations

import time

from ray_qa.annotation.summary import UnitSummary
from ray_qa.runs.live_line import ProgressLine, counted, duration
from ray_qa.runs.part_labels import Counts


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

    def line(self) -> ProgressLine:
        """The state of the run."""
        counts, replicas = self._counts, len(self._replicas)
        figures = {
            "rows": counts.rows,
            "rows_total": self._rows,
            "answered": counts.answered,
            "no_answer": counts.no_answer,
            "failed": counts.failed,
            "unit": self._done_units,
            "units": self._units,
        }
        if not replicas:
            done = f" · {counts.rows:,} of {self._rows:,} rows were done before" if counts.rows else ""
            return ProgressLine(text=f"{self._stage}{done}", figures={"stage": self._stage, **figures})
        rate = (counts.rows - self._already) / max(1e-9, time.time() - self._first_start)
        left = (self._rows - counts.rows) / rate if rate else 0.0
        text = [
            f"{counts.rows:,}/{self._rows:,} rows",
            f"{rate:,.1f} rows/s",
            f"{counts.answered:,} answered",
            f"{counts.no_answer:,} no answer",
            f"{counts.failed:,} failed",
            f"unit {self._done_units:,}/{self._units:,}",
            counted(replicas, "replica"),
            f"{duration(left)} left",
        ]
        rates = {"rows_per_second": round(rate, 3), "replicas": replicas, "seconds_left": round(left)}
        return ProgressLine(text=" · ".join(text), figures=figures | rates)
