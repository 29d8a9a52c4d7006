"""One command at a time in an output: a lock against others, and a claim that its workers show before they write."""

from __future__ import annotations

import fcntl
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ray_qa.errors import OutputError, first_line
from ray_qa.runs.output_folder import OURS
from ray_qa.storage.local import publish

OWNER = f"{OURS}/owner"
"""The token of the workers of the command that is at work."""
LOCK = ".ray_qa.lock"
"""Beside our folder, not in it: clearing an output must not let go of it."""


@contextmanager
def output_lock(folder: Path) -> Iterator[None]:
    """Keep other commands out of an output while the block runs; the system lets go of it when the process dies.

    Raises:
        OutputError: if another command is at work there.
    """
    path = folder / LOCK
    try:
        folder.mkdir(parents=True, exist_ok=True)
        stream = path.open("w")
    except OSError as error:
        raise OutputError(f"`output` must be writable, but {folder} gives: {first_line(error)}") from error
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OutputError(
                f"`output` must be one command's at a time, but another is training in {folder}; wait for it to end"
            ) from error
        except OSError:
            pass  # a file system without locks
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def claim(folder: Path) -> str:
    """Make the command that calls this the output's owner; gives the token its workers show."""
    owner = uuid.uuid4().hex
    publish(folder / OWNER, owner.encode())
    return owner


def check_claim(folder: Path, owner: str) -> None:
    """Check, on a worker, that no later command has claimed the output: workers outlive a killed driver by seconds.

    Raises:
        OutputError: if one has.
    """
    try:
        there = (folder / OWNER).read_text() if owner else ""
    except FileNotFoundError:
        there = "nobody's"
    if there != owner:
        raise OutputError(f"`output` must be one command's at a time, but another has taken {folder} over")
