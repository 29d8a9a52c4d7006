"""Where the seconds of an annotate run go: from the call to the first unit, and over all workers from then on."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSeconds:
    """Seconds that workers spent on units, by step; 0 everywhere where nobody asked.

    The first three are the encoding tasks', the others the replicas'. ``pack`` and ``unpack`` are the hand-over from
    the ones to the others. ``wait`` is what a replica stands idle while units are being scored: between two of its own,
    and before the first and after the last. ``ray`` is the CPU time of its process outside of our steps.
    """

    read: float = 0.0
    tokenise: float = 0.0
    pack: float = 0.0
    unpack: float = 0.0
    collate: float = 0.0
    forward: float = 0.0
    decode: float = 0.0
    write: float = 0.0
    wait: float = 0.0
    ray: float = 0.0

    def __add__(self, other: StepSeconds) -> StepSeconds:
        return StepSeconds(**{name: getattr(self, name) + getattr(other, name) for name in STEPS})


STEPS = tuple(field.name for field in fields(StepSeconds))
ENCODING, SCORING = STEPS[:3], STEPS[3:]
NO_SECONDS = StepSeconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """When a replica's process began its work, had loaded the model, and had tried it once; seconds since the epoch."""

    begun: float = 0.0
    loaded: float = 0.0
    tried: float = 0.0


NO_MOMENTS = Moments()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lap:
    """A stretch of start-up, one following on the other."""

    name: str
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """Where the time went."""

    start_up: tuple[Lap, ...]
    """From the call to the first unit's scoring."""
    steps: StepSeconds
    replica_seconds: float
    """The time that replicas had, all together: from the first unit's scoring to the last part's publication."""

    @property
    def other(self) -> float:
        """What the replicas' steps leave: marks, claims, and what was measured inexactly."""
        steps = asdict(self.steps)
        return max(0.0, self.replica_seconds - math.fsum(steps[name] for name in SCORING))

    def as_record(self) -> dict[str, Any]:
        """As ``run.json`` has it."""
        return {
            "start_up": {lap.name: round(lap.seconds, 3) for lap in self.start_up},
            "steps": {name: round(seconds, 3) for name, seconds in asdict(self.steps).items()},
            "other": round(self.other, 3),
            "replica_seconds": round(self.replica_seconds, 3),
        }


def describe_profile(profile: Profile) -> list[str]:
    """A profile as lines for people."""
    steps, whole = asdict(profile.steps), profile.replica_seconds or 1.0
    scoring = {name: steps[name] for name in SCORING} | {"other": profile.other}
    return [
        "start-up, from the call to the first unit:",
        *(f"  {lap.name:<28}{lap.seconds:>9.2f} s" for lap in profile.start_up),
        "encoding, all tasks:",
        *(f"  {name:<28}{steps[name]:>9.2f} s" for name in ENCODING),
        f"scoring, all replicas together, in {profile.replica_seconds:.2f} s:",
        *(f"  {name:<28}{seconds:>9.2f} s{seconds / whole:>8.1%}" for name, seconds in scoring.items()),
    ]


@dataclass(slots=True)
class Idle:
    """Tells what a process does between two pieces of work: CPU time there is Ray's, the rest is waiting."""

    wall: float
    cpu: float

    @classmethod
    def from_now(cls) -> Idle:
        """Begin to stand idle."""
        return cls(wall=time.perf_counter(), cpu=time.process_time())

    def ended(self) -> StepSeconds:
        """What it came to until now, as ``wait`` and ``ray``."""
        wall, cpu = time.perf_counter() - self.wall, time.process_time() - self.cpu
        return StepSeconds(wait=max(0.0, wall - cpu), ray=min(wall, cpu))
