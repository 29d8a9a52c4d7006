"""The beat of a run: what it is doing between two lines of its log, in a small file that is written over and over."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray_qa.finetuning.tracking.metrics_log import Metrics

BEAT_SECONDS = 0.5
"""As often as the live line looks. A step may take milliseconds, and a file system may be slow."""

Beat = Mapping[str, Any]
"""A line as the log would have it after the latest step, and ``doing``: what is done besides steps, empty where nothing
is. Before there is a step it has no figures."""


@dataclass(slots=True, kw_only=True)
class BeatWriter:
    """Writes the beat of one run."""

    path: Path
    doing: str = ""
    written: float = float("-inf")

    def is_due(self, doing: str = "") -> bool:
        """Whether it is worth while to write one: something else is being done, or the last one is old."""
        return doing != self.doing or time.monotonic() - self.written >= BEAT_SECONDS

    def write(self, line: Metrics, doing: str = "") -> None:
        """Replace the beat. What goes wrong is passed over: a run needs none."""
        self.doing, self.written = doing, time.monotonic()
        draft = self.path.with_name(f".{self.path.name}.draft")
        with suppress(OSError):
            draft.write_text(json.dumps({**line, "doing": doing, "time": time.time()}))
            draft.replace(self.path)  # a reader sees the one or the other; after a crash of the machine nobody reads it

    def clear(self) -> None:
        """Take away what an earlier run has left."""
        with suppress(OSError):
            self.path.unlink(missing_ok=True)


def read_beat(path: Path) -> Beat | None:
    """The latest beat; ``None`` where there is none."""
    try:
        beat: Beat = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return beat
