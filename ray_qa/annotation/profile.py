"""Where the seconds of an annotate run go: from the call to the first unit, and over all workers from then on."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass, fields


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSeconds:
    """Seconds that workers spent on units, by step; 0 everywhere where nobody asked.

    ``hand_over`` is the packing of a unit where it is encoded and its unpacking where it is scored; ``wait`` what a
    replica stands idle between two units, ``ray`` the CPU seconds of a worker's process outside of our steps.
    """

    read: float = 0.0
    tokenise: float = 0.0
    hand_over: float = 0.0
    wait: float = 0.0
    collate: float = 0.0
    forward: float = 0.0
    decode: float = 0.0
    write: float = 0.0
    ray: float = 0.0

    def __add__(self, other: StepSeconds) -> StepSeconds:
        return StepSeconds(**{name: getattr(self, name) + getattr(other, name) for name in STEPS})

    @property
    def total(self) -> float:
        """Seconds of all steps."""
        return math.fsum(asdict(self).values())


STEPS = tuple(field.name for field in fields(StepSeconds))
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
    """From then on, over all workers."""

    def as_record(self) -> dict[str, dict[str, float]]:
        """As ``run.json`` has it."""
        return {
            "start_up": {lap.name: round(lap.seconds, 3) for lap in self.start_up},
            "steps": {name: round(seconds, 3) for name, seconds in asdict(self.steps).items()},
        }


def describe_profile(profile: Profile) -> list[str]:
    """A profile as lines for people."""
    steps = asdict(profile.steps)
    whole = profile.steps.total or 1.0
    return [
        "start-up, from the call to the first unit:",
        *(f"  {lap.name:<28}{lap.seconds:>9.2f} s" for lap in profile.start_up),
        "steps, over all workers:",
        *(f"  {name.replace('_', '-'):<28}{steps[name]:>9.2f} s{steps[name] / whole:>8.1%}" for name in STEPS),
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
