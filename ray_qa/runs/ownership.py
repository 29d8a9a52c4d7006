"""Whose an output is: a lock against other commands, and a claim that workers show before they write."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from ray_qa.errors import OutputError, first_line
from ray_qa.runs.leases import leased
from ray_qa.runs.output_folder import OURS
from ray_qa.storage import places
from ray_qa.storage.remote import Place, Remote

OWNER = f"{OURS}/owner"
"""The token of the workers whose output it is."""
LOCK = ".ray_qa.lock"
"""Beside our folder, not in it: clearing an output must not let go of it."""
SHARING_SECONDS = 30.0
"""How long a command that may share an output waits for another one to have begun its work."""


class OutputLock(Protocol):
    """A lock that is held."""

    @property
    def alone(self) -> bool:
        """Whether no other command held it when it was taken."""

    def is_the_last(self) -> bool:
        """Whether no other command works in the output now."""

    def share(self) -> None:
        """Let other commands in that may share the output."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _FileLock:
    """A lock of the operating system's."""

    stream: IO[str]
    alone: bool

    def is_the_last(self) -> bool:
        """Whether no other command works in the output now."""
        last = _try(self.stream, fcntl.LOCK_EX)
        _try(self.stream, fcntl.LOCK_SH)
        return last

    def share(self) -> None:
        """Let other commands in that may share the output."""
        _try(self.stream, fcntl.LOCK_SH)


@contextmanager
def output_lock(folder: Place, doing: str, *, may_share: bool = False) -> Iterator[OutputLock]:
    """Keep other commands out of an output while the block runs; the system lets go of it when the process dies.

    On a file system without locks there is none, and every command is alone. In a bucket it is a lease, which a process
    that dies no longer renews.

    Args:
        folder: the output, which is made if it is not there.
        doing: what another command would be doing there, for the message.
        may_share: go on beside another command that shares.

    Raises:
        OutputError: if another command is at work there, and not sharing.
        StorageError: if its bucket does not let us.
    """
    if isinstance(folder, Remote):
        with leased(folder, doing, may_share=may_share) as lease:
            yield lease
        return
    lock = _take(folder)
    with lock.stream:
        if not lock.alone and not (may_share and _wait_to_share(lock.stream)):
            raise OutputError(
                f"`output` must be one command's at a time, but another is {doing} in {folder}; wait for it to end"
            )
        try:
            yield lock
        finally:
            if _try(lock.stream, fcntl.LOCK_EX):  # the last to leave takes the file away
                (folder / LOCK).unlink(missing_ok=True)


def claim(folder: Place, token: str) -> None:
    """Make an output that of the workers who show ``token``, where it is not already.

    Raises:
        OutputError: if it cannot be written to.
    """
    try:
        if _owner(folder) != token:
            places.publish(folder / OWNER, token.encode())
    except OSError as error:
        raise OutputError(f"`output` must be writable, but {folder} gives: {first_line(error)}") from error


def check_claim(folder: Place, token: str) -> None:
    """Check, on a worker, that no other command has claimed the output: workers outlive a killed driver by seconds.

    Raises:
        OutputError: if one has, or the worker does not see what the driver sees.
    """
    owner = _owner(folder) if token else token
    if owner is None:
        raise OutputError(
            f"`output` must be the same folder on every node, but {folder} has nothing of this run on "
            f"{os.uname().nodename}; name one that all nodes share, or one in a bucket"
        )
    if owner != token:
        raise OutputError(f"`output` must be one command's at a time, but another has taken {folder} over")


def _owner(folder: Place) -> str | None:
    try:
        return places.read(folder / OWNER).decode()
    except FileNotFoundError:
        return None


def _take(folder: Path) -> _FileLock:
    """The lock file, locked where nobody else has it. One that another command has taken away meanwhile is no lock."""
    path = folder / LOCK
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stream = path.open("a")
        except OSError as error:
            raise OutputError(f"`output` must be writable, but {folder} gives: {first_line(error)}") from error
        alone = _try(stream, fcntl.LOCK_EX)
        with suppress(FileNotFoundError):
            if path.stat().st_ino == os.fstat(stream.fileno()).st_ino:
                return _FileLock(stream=stream, alone=alone)
        stream.close()


def _wait_to_share(stream: IO[str]) -> bool:
    deadline = time.monotonic() + SHARING_SECONDS
    while not (shares := _try(stream, fcntl.LOCK_SH)) and time.monotonic() < deadline:
        time.sleep(0.1)
    return shares


def _try(stream: IO[str], kind: int) -> bool:
    try:
        fcntl.flock(stream, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass  # a file system without locks
    return True
