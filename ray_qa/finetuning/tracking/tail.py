"""Following a run's metrics log as it grows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from ray_qa.errors import StorageError
from ray_qa.finetuning.tracking.metrics_log import Metrics, read_metrics
from ray_qa.runs.live_line import meanwhile
from ray_qa.storage.objects import look_for
from ray_qa.storage.remote import Place, Remote

TAIL_SECONDS, BUCKET_SECONDS = 0.5, 5.0


@contextmanager
def tail_metrics(log: Place, *update: Callable[[Sequence[Metrics]], None]) -> Iterator[None]:
    """Hand all lines of the log to each ``update``, from time to time while the block runs and in the end once more."""

    def follow(ended: threading.Event) -> None:
        seen: object = None
        lines: list[dict[str, float]] = []
        while True:
            over = ended.wait(TAIL_SECONDS if isinstance(log, Path) else BUCKET_SECONDS)
            with suppress(StorageError):  # a store may be away; the next look shows what was missed
                # The stamp is taken before reading: what is added in between is then read again.
                if (now := _stamp(log)) != seen:
                    lines, seen = read_metrics(log), now
            for each in update:
                each(lines)
            if over:
                return

    with meanwhile(follow):
        yield


def _stamp(log: Place) -> object:
    """Changes whenever the file does."""
    if isinstance(log, Remote):
        return look_for(log)
    try:
        status = log.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns
