"""What a finetune run did: ``run.json`` for programs, a short summary for people."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from pydantic import TypeAdapter

from ray_qa.errors import OutputError
from ray_qa.finetuning.checkpoints import ProcessGroupShape
from ray_qa.finetuning.config import FinetuneConfig
from ray_qa.finetuning.label_counts import LabelCounts, in_words
from ray_qa.finetuning.output import TrainingPlan
from ray_qa.runs.live_line import duration
from ray_qa.runs.output_folder import RUN
from ray_qa.runs.versions import versions
from ray_qa.storage import places
from ray_qa.storage.remote import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class FinetuneSummary:
    """What a whole ``finetune`` run did; ``run.json`` holds the same and more."""

    output: str
    steps: int
    exported_step: int
    """The step whose weights are the model's: that of the best F1, or the last."""
    exact: float | None
    """Exact match of those weights on the evaluation rows, in percent; ``None`` without any."""
    f1: float | None
    bad_steps: int
    """Steps that were skipped because loss or gradient were not finite."""
    restarts: int
    """How often the workers were started again in this very run."""
    seconds: float
    """Of all commands that have worked at it, each from its call."""
    commands: int = 1
    """How many commands that were: more than one where a run was resumed or extended."""
    labels: LabelCounts
    eval_dropped: dict[str, int] = field(default_factory=dict)
    """Evaluation rows that are malformed and not judged, by reason."""
    teams: tuple[ProcessGroupShape, ...] = ()
    """Who has trained, one after the other; more than one where a resumed run had other workers."""
    extensions: tuple[str, ...] = ()
    """How the run was trained further when it had ended, each time in a line."""
    exit_code: int = 0
    was_finished: bool = False
    """Whether an earlier run had finished the output, so that this one did nothing."""


_SUMMARY: TypeAdapter[FinetuneSummary] = TypeAdapter(FinetuneSummary)


def run_json(config: FinetuneConfig, plan: TrainingPlan, summary: FinetuneSummary) -> bytes:
    """The content of ``run.json``."""
    record = {
        "settings": config.model_dump(mode="json"),
        "versions": versions(),
        "fingerprints": asdict(plan),
        "summary": as_record(summary),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return json.dumps(record, indent=1, ensure_ascii=False).encode()


def as_record(summary: FinetuneSummary) -> dict[str, Any]:
    """The summary for programs."""
    return asdict(summary)


def read_summary(folder: Place) -> FinetuneSummary:
    """The summary of a finished run.

    Raises:
        OutputError: if ``run.json`` is not there or not ours.
    """
    try:
        values: dict[str, Any] = json.loads(places.read(folder / RUN))["summary"]
        return _SUMMARY.validate_python(values | {"output": str(folder), "was_finished": True})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OutputError(
            f"{folder / RUN} must be a run.json of ray-qa finetune, but is not; start again with --overwrite"
        ) from error


def describe(summary: FinetuneSummary) -> str:
    """The summary as a few lines for people."""
    lines = describe_labels(summary.labels)
    if summary.eval_dropped:
        lines.append(f"evaluation rows that are malformed and not judged: {in_words(summary.eval_dropped)}")
    score = "" if summary.f1 is None else f"; exact {summary.exact:.2f}, F1 {summary.f1:.2f} after step"
    runs = f" of {summary.commands:,} commands" if summary.commands > 1 else ""
    best = "" if summary.f1 is None else f" {summary.exported_step:,}"
    lines.append(f"{summary.steps:,} steps in {duration(summary.seconds)}{runs}{score}{best}")
    if summary.bad_steps:
        lines.append(f"{summary.bad_steps:,} steps were skipped: loss or gradient were not finite")
    if summary.restarts:
        lines.append(f"workers were lost and started again: {summary.restarts:,} ×")
    if len(summary.teams) > 1:
        lines.append(
            f"the workers changed, and with them how sums are rounded: {', then '.join(map(str, summary.teams))}"
        )
    if summary.was_finished:
        lines.append("nothing to do: an earlier run has finished this output")
    return "\n".join([*lines, summary.output])


def describe_labels(labels: LabelCounts) -> list[str]:
    """What became of rows and answers, in a few lines."""
    lines = [
        f"{labels.rows:,} rows = {labels.answerable:,} with an answer + {labels.unanswerable:,} without "
        f"+ {sum(labels.dropped_rows.values()):,} dropped{_reasons(labels.dropped_rows)}"
    ]
    notes = [
        f"{getattr(labels, name):,} {name}" for name in ("repaired", "trimmed", "unaligned") if getattr(labels, name)
    ]
    if dropped := sum(labels.dropped_answers.values()):
        notes.append(f"{dropped:,} dropped{_reasons(labels.dropped_answers)}")
    if notes:
        lines.append(f"{labels.answers:,} answers; {', '.join(notes)}")
    if labels.other_unit:
        lines.append(
            f"of {labels.misplaced:,} answers that are not where answer_start says, most are where it would be in "
            f"{labels.other_unit}: it must count characters (Unicode code points)"
        )
    return lines


def _reasons(counts: dict[str, int]) -> str:
    return f" ({in_words(counts)})" if counts else ""
