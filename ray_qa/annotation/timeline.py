"""How a run went over time: rows, failures and replicas of every stretch of it, by node.

.ray_qa/timelines/CALLED-NONCE.json   of each command that scored anything: its stretches, so far
"""

from __future__ import annotations

import math
import time
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from ray_qa.annotation.summary import UnitSummary
from ray_qa.errors import StorageError
from ray_qa.runs.stretches import TIMELINES, Stretch, stretches_as_json
from ray_qa.storage import places
from ray_qa.storage.remote import Place

SHORTEST, MOST_STRETCHES = 10.0, 200
"""A stretch has so many seconds at first, and twice as many when there would be too many of them."""
MOST_NODES, OTHERS = 50, "others"
"""Nodes beyond so many are told of together."""
MOST_SHEETS = 1_000
"""On all nodes and in all stretches."""
SECONDS_BETWEEN = 60.0
"""What a command that is killed has not told yet."""


@dataclass(slots=True)
class _Sheet:
    """The units of a stretch on a node, as they are counted."""

    rows: int = 0
    failed: int = 0
    replicas: set[str] = field(default_factory=set)

    def add(self, other: _Sheet) -> None:
        self.rows += other.rows
        self.failed += other.failed
        self.replicas |= other.replicas


@dataclass(slots=True, kw_only=True)
class Timeline:
    """The stretches of a command that began its work then, in seconds since the epoch; of a bounded number."""

    began: float
    _seconds: float = SHORTEST
    _sheets: dict[tuple[int, str], _Sheet] = field(default_factory=dict)
    """By number of the stretch, and node."""
    _nodes: set[str] = field(default_factory=set)

    def add(self, unit: UnitSummary) -> None:
        """Count a unit in the stretch in which its part was published."""
        node = unit.replica.rpartition(":")[0]
        if len(self._nodes) < MOST_NODES:
            self._nodes.add(node)
        sheet = _Sheet(rows=unit.counts.rows, failed=unit.counts.failed, replicas={unit.replica})
        # The clocks of nodes differ, and one may be behind the driver's.
        number = max(0, math.floor((unit.published - self.began) / self._seconds))
        self._count(number, node if node in self._nodes else OTHERS, sheet)
        while self._are_too_many():
            self._put_pairs_together()

    def stretches(self) -> list[Stretch]:
        """All in which something was published, in order."""
        return [
            Stretch(
                began=_in_iso(self.began + number * self._seconds),
                seconds=self._seconds,
                node=node,
                rows=sheet.rows,
                failed=sheet.failed,
                replicas=len(sheet.replicas),
            )
            for (number, node), sheet in sorted(self._sheets.items())
        ]

    def _count(self, number: int, node: str, sheet: _Sheet) -> None:
        self._sheets.setdefault((number, node), _Sheet()).add(sheet)

    def _are_too_many(self) -> bool:
        last = max(number for number, _ in self._sheets)
        return last >= MOST_STRETCHES or len(self._sheets) > MOST_SHEETS

    def _put_pairs_together(self) -> None:
        before, self._sheets = self._sheets, {}
        self._seconds *= 2
        for (number, node), sheet in before.items():
            self._count(number // 2, node, sheet)


@dataclass(slots=True, kw_only=True)
class TimelineKept:
    """The timeline of a command, published now and then, so that it is not lost with it."""

    folder: Place
    timeline: Timeline
    _nonce: str = field(default_factory=lambda: uuid.uuid4().hex)
    _published: float = field(default_factory=time.monotonic)

    def add(self, unit: UnitSummary) -> None:
        """Take a unit in whose part has been published."""
        self.timeline.add(unit)
        if time.monotonic() - self._published > SECONDS_BETWEEN:
            self.publish()

    def publish(self) -> None:
        """Write down all that is known. What goes wrong is passed over: a run needs no timeline."""
        self._published = time.monotonic()
        if stretches := self.timeline.stretches():
            place = self.folder / TIMELINES / f"{self.timeline.began:.3f}-{self._nonce}.json"
            with suppress(OSError, StorageError):
                places.make_folder(place.parent)
                places.publish(place, stretches_as_json(stretches))


def _in_iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
