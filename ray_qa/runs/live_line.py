"""Showing how a run goes: one live line on a terminal, a log line every ten seconds elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.text import Text

from ray_qa.records import Counts, UnitSummary

LOG_SECONDS = 10.0


class Progress:
    """What is known of a run so far. Thread-safe enough: every update replaces whole values."""

    def __init__(self, *, rows: int, units: int, done: Counts, done_units: int) -> None:
        self._rows = rows
        self._units = units
        self._already = done.rows
        self._counts = done
        self._done_units = done_units
        self._first_start = float("inf")
        self._replicas: set[str] = set()

    def add(self, summary: UnitSummary) -> None:
        """Count one more published unit."""
        self._counts += summary.counts
        self._done_units += 1
        self._first_start = min(self._first_start, summary.encoding_started)
        self._replicas.add(summary.replica)

    def line(self) -> str:
        """The state of the run in one line."""
        counts = self._counts
        if not self._replicas:
            done = f" · {counts.rows:,} of {self._rows:,} rows were done before" if counts.rows else ""
            return f"starting Ray and loading the model{done}"
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


@contextmanager
def shown(line: Callable[[], str]) -> Iterator[None]:
    """Show on standard error, while the block runs, what ``line`` gives from time to time."""
    console = Console(stderr=True)
    if console.is_terminal:
        live = Live(get_renderable=lambda: Text(line(), no_wrap=True), console=console, refresh_per_second=2)
        with live:
            yield
        return
    with meanwhile(lambda ended: _log(line, ended)):
        yield


@contextmanager
def meanwhile(work: Callable[[threading.Event], None]) -> Iterator[None]:
    """Do ``work`` in a thread while the block runs; when the event it is given is set, it is to come to its end."""
    ended = threading.Event()
    thread = threading.Thread(target=work, args=(ended,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def duration(seconds: float) -> str:
    """Seconds as m:ss or h:mm:ss."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _log(line: Callable[[], str], ended: threading.Event) -> None:
    while not ended.wait(LOG_SECONDS):
        print(f"{time.strftime('%H:%M:%S')} {line()}", file=sys.stderr, flush=True)
