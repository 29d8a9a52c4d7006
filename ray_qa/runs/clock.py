"""How long all commands that have worked at an output have taken, those that were killed included.

.ray_qa/commands/N.json   for each command: when it was called, and when it was last seen at work
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from ray_qa.runs.live_line import meanwhile
from ray_qa.runs.output_folder import OURS

COMMANDS = f"{OURS}/commands"
SEEN_SECONDS = 5.0
"""A command that is killed is believed to have ended up to so much earlier."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeSpent:
    """Seconds of all commands together, and how many commands there were."""

    seconds: float
    commands: int


@contextmanager
def clocked(folder: Path, called: float) -> Iterator[None]:
    """Note, while the block runs, that a command which was called then, in seconds since the epoch, is at work."""
    path = folder / COMMANDS / f"{called:.3f}.json"
    path.parent.mkdir(parents=True, exist_ok=True)

    def note(ended: threading.Event) -> None:
        over = False
        while not over:
            _note(path, called)
            over = ended.wait(SEEN_SECONDS)
        _note(path, called)

    with meanwhile(note):
        yield


def time_spent(folder: Path) -> TimeSpent:
    """What :func:`clocked` has noted of all commands."""
    seconds = []
    for path in sorted((folder / COMMANDS).glob("*.json")):
        with suppress(OSError, ValueError, KeyError, TypeError):
            noted = json.loads(path.read_bytes())
            seconds.append(max(0.0, noted["seen"] - noted["called"]))
    return TimeSpent(seconds=sum(seconds), commands=len(seconds))


def _note(path: Path, called: float) -> None:
    """What goes wrong is passed over: a run needs no clock."""
    draft = path.with_suffix(".draft")
    with suppress(OSError):
        draft.write_text(json.dumps({"called": called, "seen": time.time()}))
        draft.replace(path)
