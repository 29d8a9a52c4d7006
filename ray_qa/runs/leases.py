"""A lock in a bucket, which knows no locks: leases that a command renews while it works.

.ray_qa/leases/NONCE-alone    of a command that keeps all others out
.ray_qa/leases/NONCE-shared   of one that lets others in that share too

A lease counts as long as it was renewed within ``LEASE_SECONDS``, by the store's own clock. Two commands that come at
the same moment both see the other, withdraw, and come back after a time drawn at random.
"""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta

from ray_qa.errors import OutputError, StorageError
from ray_qa.runs.output_folder import LEASES
from ray_qa.storage import objects
from ray_qa.storage.listing import Found
from ray_qa.storage.remote import Remote

LEASE_SECONDS = 60.0
RENEW_SECONDS = 15.0
PATIENCE = 75.0
"""How long to wait for others: longer than the lease of a command that was killed lasts."""


@dataclass(slots=True, kw_only=True)
class Lease:
    """A lease that is held. ``alone``: no other command held one when it was taken."""

    folder: Remote
    nonce: str
    alone: bool
    shared: bool = False
    _at_it: threading.Lock = field(default_factory=threading.Lock)
    """Its name is not to change while it is being renewed."""

    def is_the_last(self) -> bool:
        """Whether no other command works in the output now."""
        self.renew()
        return not _others(self)

    def share(self) -> None:
        """Let other commands in that may share the output."""
        with self._at_it:
            before = self._place
            self.shared = True
            objects.publish(self._place, b"")
            if before != self._place:
                objects.delete([before])

    @property
    def _place(self) -> Remote:
        return self.folder / LEASES / f"{self.nonce}-{'shared' if self.shared else 'alone'}"

    def renew(self) -> None:
        """Make it count from now on."""
        with self._at_it:
            objects.publish(self._place, b"")

    def give_back(self) -> None:
        """Let it count no more."""
        objects.delete([self._place])


@contextmanager
def leased(folder: Remote, doing: str, *, may_share: bool) -> Iterator[Lease]:
    """Hold a lease while the block runs, renewed by a thread.

    Args:
        folder: the output.
        doing: what another command would be doing there, for the message.
        may_share: go on beside another command that shares.

    Raises:
        OutputError: if another command is at work there, and not sharing.
        StorageError: if the bucket does not let us.
    """
    lease = _take(folder, doing, may_share=may_share)
    ended = threading.Event()
    renewing = threading.Thread(target=_keep, args=(lease, ended), daemon=True)
    renewing.start()
    try:
        yield lease
    finally:
        ended.set()
        renewing.join()
        with suppress(StorageError):  # it runs out by itself
            lease.give_back()


def _take(folder: Remote, doing: str, *, may_share: bool) -> Lease:
    deadline = time.monotonic() + PATIENCE
    while True:
        lease = Lease(folder=folder, nonce=uuid.uuid4().hex, alone=True)
        lease.renew()
        others = _others(lease)
        if not others:
            return lease
        if may_share and all(each.place.name.endswith("-shared") for each in others):
            lease.alone = False
            lease.share()
            return lease
        lease.give_back()
        if time.monotonic() > deadline:
            raise OutputError(
                f"`output` must be one command's at a time, but another is {doing} in {folder}; wait for it to end"
            )
        time.sleep(random.uniform(1, 3))  # no secret


def _others(lease: Lease) -> list[Found]:
    """The leases of others that count; ours, just renewed, says what time it is at the store. Those that have run out
    are taken away."""
    found = list(objects.list_below(lease.folder / LEASES))
    while not (ours := [each for each in found if each.place.name.startswith(lease.nonce)]):  # it was taken away
        lease.renew()
        found = list(objects.list_below(lease.folder / LEASES))
    now = max(each.modified for each in ours)
    others = [each for each in found if each not in ours]
    count = [each for each in others if now - each.modified < timedelta(seconds=LEASE_SECONDS)]
    objects.delete([each.place for each in others if each not in count])
    return count


def _keep(lease: Lease, ended: threading.Event) -> None:
    while not ended.wait(RENEW_SECONDS):
        with suppress(StorageError):  # for as long as the lease lasts a store may be away
            lease.renew()
