"""The beat of a run: what it is doing between two lines of its log, in a small file that is written over and over."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray_qa.errors import StorageError
from ray_qa.finetuning.tracking.metrics_log import Metrics
from ray_qa.storage import objects, places
from ray_qa.storage.remote import Place, Remote

BEAT_SECONDS, BUCKET_SECONDS = 0.5, 5.0
"""A step may take milliseconds, and a file system may be slow. A bucket takes money for every request."""

Beat = Mapping[str, Any]
"""A line as the log would have it after the latest step, and ``doing``: what is done besides steps, empty where nothing
is. Before there is a step it has no figures."""


@dataclass(slots=True, kw_only=True)
class BeatWriter:
    """Writes the beat of one run."""

    place: Place
    doing: str = ""
    written: float = float("-inf")

    def is_due(self, doing: str = "") -> bool:
        """Whether it is worth while to write one: something else is being done, or the last one is old."""
        return doing != self.doing or time.monotonic() - self.written >= self._seconds

    def write(self, line: Metrics, doing: str = "") -> None:
        """Replace the beat. What goes wrong is passed over: a run needs none."""
        self.doing, self.written = doing, time.monotonic()
        beat = json.dumps({**line, "doing": doing, "time": time.time()})
        with suppress(OSError, StorageError):
            if isinstance(self.place, Remote):
                objects.publish(self.place, beat.encode())
                return
            draft = self.place.with_name(f".{self.place.name}.draft")
            draft.write_text(beat)
            draft.replace(self.place)  # a reader sees the one or other; after a crash of the machine nobody reads it

    def clear(self) -> None:
        """Take away what an earlier run has left."""
        with suppress(OSError, StorageError):
            places.delete([self.place])

    @property
    def _seconds(self) -> float:
        return BEAT_SECONDS if isinstance(self.place, Path) else BUCKET_SECONDS


def read_beat(place: Place) -> Beat | None:
    """The latest beat; ``None`` where there is none."""
    try:
        beat: Beat = json.loads(places.read(place))
    except (OSError, StorageError, ValueError):
        return None
    return beat
