"""What an annotate run did: its counts, ``run.json`` for programs, a short summary for people."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from ray_qa.annotation.config import AnnotateConfig
from ray_qa.annotation.engine_used import EngineUsed
from ray_qa.annotation.profile import NO_MOMENTS, NO_SECONDS, Moments, Profile, StepSeconds, describe_profile
from ray_qa.errors import OutputError
from ray_qa.records import Answer
from ray_qa.runs.live_line import counted, duration
from ray_qa.runs.output_folder import RUN
from ray_qa.runs.part_labels import Counts
from ray_qa.runs.stretches import Stretch
from ray_qa.runs.versions import versions
from ray_qa.storage import places
from ray_qa.storage.remote import Place


def count_answers(answers: Sequence[Answer], duplicates: int = 0) -> Counts:
    """Count the outcomes of a unit's rows, of which so many were not scored by themselves."""
    statuses = [answer.status for answer in answers]
    return Counts(
        rows=len(answers),
        answered=statuses.count("answered"),
        no_answer=statuses.count("no_answer"),
        failed=statuses.count("failed"),
        questions_cut=sum(answer.question_cut for answer in answers),
        duplicates=duplicates,
        windows=sum(answer.windows for answer in answers),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitSummary:
    """One published part: its unit, its counts, where and from when to when it was scored (seconds since the epoch)."""

    unit: int
    counts: Counts
    replica: str
    started: float
    published: float
    moments: Moments = NO_MOMENTS
    """Of the replica."""
    steps: StepSeconds = NO_SECONDS
    """What was spent on it, where that is asked for."""
    version: str = ""
    """Of the part, in a bucket."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """What a whole ``annotate`` run did; ``run.json`` holds the same and more."""

    output: str
    counts: Counts
    units: int
    scored_rows: int
    """Rows scored by this very run; the rest had been finished by earlier ones."""
    start_seconds: float
    """From the call to the first unit's scoring: checks, Ray, model loading; not Python's own imports before it."""
    run_seconds: float
    """From the start of the first unit's scoring to the last part's publication."""
    exit_code: int = 0
    was_finished: bool = False
    """Whether an earlier run had finished the output, so that this one did nothing."""
    profile: Profile | None = None
    """Where the time went, if that was asked for."""
    part: str = ""
    """Which rows of the corpus were taken, in words, if not all."""

    @property
    def rows_per_second(self) -> float:
        """Rows scored by this run per second of its run time; 0 where it had nothing to do."""
        return self.scored_rows / self.run_seconds if self.run_seconds > 0 else 0.0


def run_json(
    config: AnnotateConfig,
    fingerprints: Mapping[str, Any],
    summary: RunSummary,
    engine: EngineUsed | None,
    timeline: Sequence[Stretch] = (),
) -> bytes:
    """The content of ``run.json``.

    Args:
        config: the settings.
        fingerprints: what the parts were made with.
        summary: what was done.
        engine: what the rows were computed with, if that is known.
        timeline: how it went over time.
    """
    record = {
        "settings": config.model_dump(mode="json"),
        "engine": None if engine is None else _engine_record(engine),
        "versions": versions(),
        "fingerprints": fingerprints,
        **_figures(summary),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "timeline": [asdict(stretch) for stretch in timeline],
    }
    return json.dumps(record, indent=1, ensure_ascii=False).encode()


def as_record(summary: RunSummary) -> dict[str, Any]:
    """The summary for programs."""
    told = {"output": summary.output, "exit_code": summary.exit_code, "was_finished": summary.was_finished}
    return told | _figures(summary)


def _figures(summary: RunSummary) -> dict[str, Any]:
    return {
        "part": summary.part or None,
        **asdict(summary.counts),
        "units": summary.units,
        "scored_rows": summary.scored_rows,
        "start_seconds": round(summary.start_seconds, 3),
        "run_seconds": round(summary.run_seconds, 3),
        "rows_per_second": round(summary.rows_per_second, 3),
        "profile": None if summary.profile is None else summary.profile.as_record(),
    }


def _engine_record(engine: EngineUsed) -> dict[str, Any]:
    record = asdict(engine)
    if engine.int8 is not None:
        record["int8"]["agreement"] = round(engine.int8.agreement, 4)
    return record


def read_summary(folder: Place, max_failed: float) -> RunSummary:
    """The summary of a finished run.

    Args:
        folder: its output folder.
        max_failed: the fraction to judge it by.

    Raises:
        OutputError: if ``run.json`` is not there or not ours.
    """
    try:
        record: Mapping[str, Any] = json.loads(places.read(folder / RUN))
        counts = Counts(**{name: record[name] for name in Counts.__slots__})
        return RunSummary(
            output=str(folder),
            counts=counts,
            units=record["units"],
            scored_rows=record["scored_rows"],
            start_seconds=record["start_seconds"],
            run_seconds=record["run_seconds"],
            exit_code=exit_code(counts, max_failed),
            was_finished=True,
            part=record["part"] or "",
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OutputError(
            f"{folder / RUN} must be a run.json of ray-qa, but is not; start again with --overwrite"
        ) from error


def exit_code(counts: Counts, max_failed: float) -> int:
    """3 where more than the fraction ``max_failed`` of the rows failed, else 0."""
    return 3 if counts.failed > max_failed * counts.rows else 0


def describe(summary: RunSummary) -> str:
    """The summary as a few lines for people."""
    counts = summary.counts
    lines = [
        f"{counted(counts.rows, 'row')} = {counts.answered:,} answered + {counts.no_answer:,} no answer "
        f"+ {counts.failed:,} failed",
        "nothing to do: an earlier run has finished this output"
        if summary.was_finished
        else f"{summary.rows_per_second:,.1f} rows/s: {counted(summary.scored_rows, 'row')} in "
        f"{duration(summary.run_seconds)} after {summary.start_seconds:.0f} s of start-up; "
        f"{counted(summary.units, 'unit')}",
        f"{summary.output}",
    ]
    if summary.part:
        lines.insert(1, f"a part of the corpus: {summary.part}")
    if counts.questions_cut:
        lines.insert(1, f"{counts.questions_cut:,} questions were longer than max_question_tokens and were cut")
    if counts.duplicates:
        lines.insert(
            1,
            f"{counts.duplicates:,} rows ask what an earlier one of their unit asks of the same context, and have its "
            "answer",
        )
    if summary.exit_code == 3:
        lines.append("more rows failed than --max-failed allows: exit code 3")
    if summary.profile is not None:
        lines += describe_profile(summary.profile)
    return "\n".join(lines)
