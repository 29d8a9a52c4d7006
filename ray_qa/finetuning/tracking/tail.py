"""Following a run's metrics log as it grows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ray_qa.finetuning.tracking.metrics_log import Metrics, read_metrics
from ray_qa.runs.live_line import meanwhile

TAIL_SECONDS = 0.5


@contextmanager
def tail_metrics(path: Path, *update: Callable[[Sequence[Metrics]], None]) -> Iterator[None]:
    """Hand all lines of the log to each ``update``, from time to time while the block runs and in the end once more."""

    def follow(ended: threading.Event) -> None:
        seen = _stamp(path)  # before reading: what is added in between is then read again, not missed
        lines = read_metrics(path)
        while True:
            over = ended.wait(TAIL_SECONDS)
            if (now := _stamp(path)) != seen:
                lines, seen = read_metrics(path), now
            for each in update:
                each(lines)
            if over:
                return

    with meanwhile(follow):
        yield


def _stamp(path: Path) -> tuple[int, int, int]:
    """Changes whenever the file does."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return 0, 0, 0
    return status.st_ino, status.st_size, status.st_mtime_ns
