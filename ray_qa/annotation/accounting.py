"""What of a plan is done: which parts are there and believed, what is left, and the account of all rows at the end."""

from __future__ import annotations

import logging
import math
import time
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from ray_qa.annotation.card import write_card
from ray_qa.annotation.config import AnnotateConfig
from ray_qa.annotation.engine_used import engine_noted
from ray_qa.annotation.likeness import unlike_the_calibration
from ray_qa.annotation.manifest import known_parts
from ray_qa.annotation.output import Plan, fingerprints, finish, plan_digest
from ray_qa.annotation.parts import read_parts, remove_strays, units_to_retry
from ray_qa.annotation.profile import NO_MOMENTS, NO_SECONDS, Lap, Moments, Profile, StepSeconds
from ray_qa.annotation.summary import RunSummary, UnitSummary, exit_code, run_json
from ray_qa.data.parts import part_path, part_versions
from ray_qa.errors import OutputError
from ray_qa.reader.calibration import Calibration
from ray_qa.runs.log import notice
from ray_qa.runs.part_labels import Counts
from ray_qa.runs.stretches import timelines_kept
from ray_qa.storage import places
from ray_qa.storage.local import SUCCESS
from ray_qa.storage.remote import Place

_LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class Clock:
    """When things happened, in seconds since the epoch, and what was spent on units."""

    called: float
    first_start: float = math.inf
    last_part: float = -math.inf
    steps: StepSeconds = NO_SECONDS
    _units: defaultdict[str, list[UnitSummary]] = field(default_factory=lambda: defaultdict(list))
    """By replica: its first and its last."""
    _passed: list[tuple[str, float]] = field(default_factory=list)
    _first: Moments = NO_MOMENTS

    def passed(self, name: str) -> None:
        """Note that a stretch of start-up ends now."""
        self._passed.append((name, time.time()))

    def note(self, summary: UnitSummary) -> None:
        """Take in when a unit was scored, and what was spent on it."""
        if summary.started < self.first_start:
            self.first_start, self._first = summary.started, summary.moments
        self.last_part = max(self.last_part, summary.published)
        self.steps += summary.steps
        own = self._units[summary.replica]
        own[1:] = [summary]

    def profile(self) -> Profile:
        """Where the time went, as far as anything was scored."""
        moments = list(self._passed)
        if self.first_start < math.inf:
            moments += [
                ("starting a replica's process", self._first.begun),
                ("loading the model", self._first.loaded),
                ("a first pass", self._first.tried),
                ("waiting for the first unit", self.first_start),
            ]
        began = [self.called, *(moment for _, moment in moments)]
        return Profile(
            start_up=tuple(
                Lap(name=name, seconds=moment - before)
                for (name, moment), before in zip(moments, began[:-1], strict=True)
            ),
            steps=self.steps + StepSeconds(wait=self._at_the_ends()),
            replica_seconds=len(self._units) * self.run_seconds,
        )

    def _at_the_ends(self) -> float:
        """Seconds that replicas stood idle before their first unit and after their last, while others worked."""
        return math.fsum(
            own[0].started - self.first_start + self.last_part - own[-1].published for own in self._units.values()
        )

    @property
    def start_seconds(self) -> float:
        """From the call to the first unit's scoring; 0 where none was scored."""
        return self.first_start - self.called if self.first_start < math.inf else 0.0

    @property
    def run_seconds(self) -> float:
        """From the first unit's scoring to the last part's publication; 0 where none was scored."""
        return max(0.0, self.last_part - self.first_start) if self.first_start < math.inf else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How an output stands to its plan."""

    versions: Mapping[int, str]
    """Of the parts that are there, by their numbers, as they are listed."""
    counts: Mapping[int, Counts]
    """Of the units whose parts were made by the plan."""

    def is_all_of(self, plan: Plan) -> bool:
        """Whether every unit has its part."""
        return self.counts.keys() == {unit.number for unit in plan.units}


def standing_of(
    folder: Place, plan: Plan, versions: Mapping[int, str] | None = None, *, open_all: bool = False
) -> Standing:
    """See which of a plan's units are done; parts that a driver has told of are believed as they are listed.

    Args:
        folder: the output.
        plan: what its parts are to be made by.
        versions: the parts that are there, where they have been listed just now.
        open_all: believe nothing but the parts themselves.

    Raises:
        OutputError: if a part cannot be read, or is not what the plan says.
    """
    versions, digest = part_versions(folder) if versions is None else versions, plan_digest(plan)
    known = {
        unit: part.counts
        for unit, part in ({} if open_all else known_parts(folder, digest)).items()
        if part.version == versions.get(unit)
    }
    unopened = [unit for unit in plan.units if unit.number in versions and unit.number not in known]
    unknown = {unit.number: plan.asked * unit.rows for unit in unopened}
    return Standing(versions=versions, counts=known | read_parts(folder, unknown, digest))


def is_whole(folder: Place, plan: Plan, versions: Mapping[int, str], verify: bool) -> bool:
    """Whether a finished output still has all its parts; where it has not, it is finished no more."""
    there: Collection[int] = versions
    if verify and has_every_part(plan, versions):
        there = standing_of(folder, plan, versions, open_all=True).counts
    missing = [unit.number for unit in plan.units if unit.number not in there]
    if missing:
        places.delete([folder / SUCCESS])
        notice(
            f"{folder} has lost {len(missing):,} of its {len(plan.units):,} parts "
            f"({part_path(folder, missing[0]).name}{' …' if len(missing) > 1 else ''}); they are made again",
        )
    return not missing


def has_every_part(plan: Plan, versions: Mapping[int, str]) -> bool:
    """Whether a part lies there for every unit, whosever it is."""
    return all(unit.number in versions for unit in plan.units)


def to_retry(config: AnnotateConfig, plan: Plan, standing: Standing) -> frozenset[int]:
    """The finished units that are to be scored once more."""
    if not config.retry_failed:
        return frozenset()
    return units_to_retry(config.folder, standing.counts, config.columns(plan.questions))


def finish_run(
    config: AnnotateConfig,
    calibration: Calibration | None,
    plan: Plan,
    standing: Standing,
    scored_rows: int,
    clock: Clock,
) -> RunSummary:
    """Account for every row from the parts themselves, then mark the output as finished."""
    folder, counts_of = config.folder, standing.counts
    remove_strays(folder, standing.versions.keys() - {unit.number for unit in plan.units}, plan_digest(plan))
    if missing := [unit.number for unit in plan.units if unit.number not in counts_of]:
        raise OutputError(
            f"`output` must have a part of this run for every unit, but {part_path(folder, missing[0])} is missing or "
            "another run's; run the same command again"
        )
    counts = sum(counts_of.values(), start=Counts())
    summary = RunSummary(
        output=str(folder),
        counts=counts,
        units=len(plan.units),
        scored_rows=scored_rows,
        start_seconds=clock.start_seconds,
        run_seconds=clock.run_seconds,
        exit_code=exit_code(counts, config.max_failed),
        profile=clock.profile() if config.profile else None,
        part=config.choice.in_words(
            rows=sum(sum(file.rows) for file in plan.input), taken=sum(unit.rows for unit in plan.units)
        ),
    )
    if unlike := unlike_the_calibration(calibration, counts, config):
        _LOG.warning(unlike)
    write_card(config, plan, counts)
    finish(folder, run_json(config, fingerprints(plan), summary, engine_noted(folder), timelines_kept(folder)))
    return summary
