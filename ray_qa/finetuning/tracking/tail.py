"""Following a run's metrics log as it grows, for the live line and the reports."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ray_qa.finetuning.progress import TrainingProgress
from ray_qa.finetuning.tracking.metrics_log import read_metrics
from ray_qa.finetuning.tracking.trackers import Reports
from ray_qa.runs.live_line import meanwhile

FOLLOW_SECONDS = 0.5


@contextmanager
def followed(path: Path, progress: TrainingProgress, reports: Reports) -> Iterator[None]:
    """Hand the log's lines on while the block runs, and in the end once more; then the reports are closed."""

    def follow(ended: threading.Event) -> None:
        seen = _stamp(path)  # before reading: what is added in between is then read again, not missed
        lines = read_metrics(path)
        while True:
            over = ended.wait(FOLLOW_SECONDS)
            if (now := _stamp(path)) != seen:
                lines, seen = read_metrics(path), now
            progress.update(lines)
            reports.update(lines)
            if over:
                return

    try:
        with meanwhile(follow):
            yield
    finally:
        reports.close()


def _stamp(path: Path) -> tuple[int, int, int]:
    """Changes whenever the file does."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return 0, 0, 0
    return status.st_ino, status.st_size, status.st_mtime_ns
