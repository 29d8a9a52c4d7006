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

from ray_qa.errors import StorageError
from ray_qa.runs.live_line import meanwhile
from ray_qa.runs.output_folder import OURS
from ray_qa.storage import objects
from ray_qa.storage.places import make_folder, names_in, read
from ray_qa.storage.remote import Place, Remote

COMMANDS = f"{OURS}/commands"
SEEN_SECONDS, BUCKET_SECONDS = 5.0, 30.0
"""A command that is killed is believed to have ended up to so much earlier."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeSpent:
    """Seconds of all commands together, and how many commands there were."""

    seconds: float
    commands: int


@contextmanager
def clocked(folder: Place, called: float) -> Iterator[None]:
    """Note, while the block runs, that a command which was called then, in seconds since the epoch, is at work."""
    make_folder(folder / COMMANDS)
    place = folder / COMMANDS / f"{called:.3f}.json"
    between = SEEN_SECONDS if isinstance(folder, Path) else BUCKET_SECONDS

    def note(ended: threading.Event) -> None:
        over = False
        while not over:
            _note(place, called)
            over = ended.wait(between)
        _note(place, called)

    with meanwhile(note):
        yield


def time_spent(folder: Place) -> TimeSpent:
    """What :func:`clocked` has noted of all commands."""
    seconds = []
    for name in (name for name in names_in(folder / COMMANDS) if name.endswith(".json")):
        with suppress(OSError, StorageError, ValueError, KeyError, TypeError):
            noted = json.loads(read(folder / COMMANDS / name))
            seconds.append(max(0.0, noted["seen"] - noted["called"]))
    return TimeSpent(seconds=sum(seconds), commands=len(seconds))


def _note(place: Place, called: float) -> None:
    """What goes wrong is passed over: a run needs no clock."""
    noted = json.dumps({"called": called, "seen": time.time()})
    with suppress(OSError, StorageError):
        if isinstance(place, Remote):
            objects.publish(place, noted.encode())
            return
        draft = place.with_suffix(".draft")
        draft.write_text(noted)
        draft.replace(place)
