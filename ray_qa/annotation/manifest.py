"""The counts of parts in a bucket, gathered by the driver: a run that goes on need not open what the listing shows.

.ray_qa/counts/NONCE-N.json   of one driver, one after the other: for each unit its part's version and counts
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from pydantic import TypeAdapter, ValidationError

from ray_qa.runs.output_folder import OURS
from ray_qa.runs.part_labels import Counts
from ray_qa.storage import objects, places
from ray_qa.storage.remote import Place, Remote

COUNTS = f"{OURS}/counts"
READERS = 32
UNITS_BETWEEN, SECONDS_BETWEEN = 1_000, 60.0
"""A driver that is killed costs its successor a look into so many parts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPart:
    """A part of a version, and what became of its rows."""

    version: str
    counts: Counts


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sheet:
    """What a driver has learnt of parts since its last sheet; they are those of one plan."""

    plan: str
    parts: dict[int, KnownPart]


_JSON: TypeAdapter[_Sheet] = TypeAdapter(_Sheet)


@dataclass(slots=True, kw_only=True)
class CountsKept:
    """The counts of a run's parts, published now and then; of an output on a file system, whose parts are opened in no
    time, there is nothing to keep."""

    folder: Place
    plan: str
    _nonce: str = field(default_factory=lambda: uuid.uuid4().hex)
    _new: dict[int, KnownPart] = field(default_factory=dict)
    _sheets: int = 0
    _published: float = field(default_factory=time.monotonic)

    def add(self, unit: int, part: KnownPart) -> None:
        """Take a unit in whose part has been published."""
        if not part.version:
            return
        self._new[unit] = part
        if len(self._new) >= UNITS_BETWEEN or time.monotonic() - self._published > SECONDS_BETWEEN:
            self.publish()

    def publish(self) -> None:
        """Write down what is new: what was written before stays as it is."""
        if self._new:
            sheet = self.folder / COUNTS / f"{self._nonce}-{self._sheets:06d}.json"
            places.publish(sheet, _JSON.dump_json(_Sheet(plan=self.plan, parts=self._new)))
            self._new, self._published, self._sheets = {}, time.monotonic(), self._sheets + 1


def known_parts(folder: Place, plan: str) -> Mapping[int, KnownPart]:
    """What drivers have written down of parts of a plan, of each the latest."""
    known: dict[int, KnownPart] = {}
    if isinstance(folder, Remote):
        sheets = sorted(objects.list_below(folder / COUNTS), key=lambda each: each.modified)
        with ThreadPoolExecutor(READERS) as threads:
            for parts in threads.map(lambda sheet: _parts_on(sheet.place, plan), sheets):
                known |= parts
    return known


def _parts_on(sheet: Place, plan: str) -> Mapping[int, KnownPart]:
    try:
        read = _JSON.validate_json(places.read(sheet))
    except (FileNotFoundError, ValidationError):
        return {}
    return read.parts if read.plan == plan else {}
