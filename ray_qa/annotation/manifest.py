"""The counts of parts in a bucket, gathered by the driver: a run that goes on need not open what the listing shows.

.ray_qa/counts/NONCE.json   of one driver: for each unit its part's version and counts
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import TypeAdapter, ValidationError

from ray_qa.annotation.summary import Counts, UnitSummary
from ray_qa.runs.output_folder import OURS
from ray_qa.storage import places
from ray_qa.storage.remote import Place, Remote

COUNTS = f"{OURS}/counts"
UNITS_BETWEEN, SECONDS_BETWEEN = 1_000, 60.0
"""A driver that is killed costs its successor a look into so many parts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownPart:
    """A part of a version, and what became of its rows."""

    version: str
    counts: Counts


@dataclass(frozen=True, slots=True, kw_only=True)
class _Manifest:
    """What a driver knows of parts; they are those of one plan."""

    plan: str
    parts: dict[int, KnownPart]


_JSON: TypeAdapter[_Manifest] = TypeAdapter(_Manifest)


@dataclass(slots=True, kw_only=True)
class CountsKept:
    """The counts of a run's parts, published now and then; of an output on a file system, whose parts are opened in no
    time, there is nothing to keep."""

    folder: Place
    plan: str
    parts: dict[int, KnownPart]
    _place: Place = field(init=False)
    _new: int = 0
    _published: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._place = self.folder / COUNTS / f"{uuid.uuid4().hex}.json"

    def add(self, summary: UnitSummary) -> None:
        """Take a unit in whose part has been published."""
        if not summary.version:
            return
        self.parts[summary.unit] = KnownPart(version=summary.version, counts=summary.counts)
        self._new += 1
        if self._new >= UNITS_BETWEEN or time.monotonic() - self._published > SECONDS_BETWEEN:
            self.publish()

    def publish(self) -> None:
        """Write down what is known."""
        if self._new:
            places.publish(self._place, _JSON.dump_json(_Manifest(plan=self.plan, parts=self.parts)))
            self._new, self._published = 0, time.monotonic()


def known_parts(folder: Place, plan: str) -> Mapping[int, KnownPart]:
    """What drivers have written down of parts of a plan."""
    known: dict[int, KnownPart] = {}
    if isinstance(folder, Remote):
        for name in places.names_in(folder / COUNTS):
            try:
                manifest = _JSON.validate_json(places.read(folder / COUNTS / name))
            except (FileNotFoundError, ValidationError):
                continue
            if manifest.plan == plan:
                known |= manifest.parts
    return known
