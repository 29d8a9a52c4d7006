"""What a prepare run did: ``run.json`` for programs, a short summary for people."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from pydantic import TypeAdapter

from ray_qa.errors import OutputError
from ray_qa.preparation.config import PrepareConfig
from ray_qa.preparation.counts import Counts
from ray_qa.preparation.output import Plan, parts_of
from ray_qa.preparation.records import SET_APART, SourceRecord
from ray_qa.runs.live_line import counted, duration
from ray_qa.runs.output_folder import RUN
from ray_qa.runs.versions import versions
from ray_qa.storage import places
from ray_qa.storage.remote import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedSummary:
    """What a whole ``prepare`` run did; ``run.json`` holds the same and more."""

    output: str
    counts: Counts
    sources: int
    """Files, and data sets."""
    parts: int
    examples: tuple[str, ...] = ()
    """The first row that is set apart of each source, of some sources."""
    seconds: float
    """Of the last command that worked at it."""
    part: str = ""
    """Which rows of the input these are; nothing if it is all."""
    was_finished: bool = False
    """Whether an earlier run had finished the output, so that this one did nothing."""


_SUMMARY: TypeAdapter[PreparedSummary] = TypeAdapter(PreparedSummary)
MOST_EXAMPLES = 3


def summary_of(folder: Place, records: Sequence[SourceRecord], seconds: float, part: str = "") -> PreparedSummary:
    """Sum up what became of the sources, of which ``part`` says which rows were taken."""
    return PreparedSummary(
        output=str(folder),
        counts=sum((record.counts for record in records), start=Counts()),
        sources=len(records),
        parts=parts_of(records),
        examples=tuple(record.example for record in records if record.example)[:MOST_EXAMPLES],
        seconds=round(seconds, 3),
        part=part,
    )


def run_json(config: PrepareConfig, plan: Plan, records: Sequence[SourceRecord], summary: PreparedSummary) -> bytes:
    """The content of ``run.json``."""
    record = {
        "settings": config.model_dump(mode="json"),
        "versions": versions(),
        "fingerprints": asdict(plan),
        "sources": [asdict(each) for each in records],
        "summary": asdict(summary),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return json.dumps(record, indent=1, ensure_ascii=False).encode()


def read_summary(folder: Place) -> PreparedSummary:
    """The summary of a finished run.

    Raises:
        OutputError: if ``run.json`` is not there or not ours.
    """
    try:
        values = json.loads(places.read(folder / RUN))["summary"]
        return _SUMMARY.validate_python(values | {"output": str(folder), "was_finished": True})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OutputError(
            f"{folder / RUN} must be a run.json of ray-qa prepare, but is not; start again with --overwrite"
        ) from error


def describe(summary: PreparedSummary) -> str:
    """The summary as a few lines for people."""
    counts = summary.counts
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in sorted(counts.set_apart.items()))
    apart = f"{counts.apart:,} set apart{reasons and f' ({reasons})'}"
    lines = [f"{counted(counts.rows, 'row')} = {counts.kept:,} kept + {apart}"]
    if summary.part:
        lines.append(f"a part of the input: {summary.part}")
    if counts.apart:
        lines.append(f"those lie in {summary.output}/{SET_APART}; the first: {'; '.join(summary.examples)}")
    if counts.without_question:
        lines.append(
            f"{counted(counts.without_question, 'row')} of those kept will fail in annotate (question_missing, "
            "question_empty): there is no question, or white space alone"
        )
    if counts.answers:
        where = "is where it should be" if counts.answers == 1 else "are where they should be"
        lines.append(
            f"{counted(counts.answers, 'answer')} {where}; {counts.converted:,} of them had their offset "
            f"converted, {counts.repaired:,} repaired"
        )
    if summary.was_finished:
        lines.append("nothing to do: an earlier run has finished this output")
    else:
        came_to = f"{counted(summary.sources, 'source')} in {counted(summary.parts, 'part')}"
        lines.append(f"{came_to}, {duration(summary.seconds)}")
    return "\n".join([*lines, summary.output])
