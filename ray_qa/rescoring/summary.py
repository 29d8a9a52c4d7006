"""What a rescore run did: ``run.json`` for programs, a short summary for people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from ray_qa.errors import InputError
from ray_qa.rescoring.config import RescoreConfig
from ray_qa.rescoring.output import Plan
from ray_qa.rescoring.promise import PromiseMade, in_words
from ray_qa.runs.live_line import counted
from ray_qa.runs.output_folder import RUN
from ray_qa.runs.part_labels import Counts
from ray_qa.runs.versions import versions
from ray_qa.storage import places
from ray_qa.storage.remote import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class RescoreSummary:
    """What a whole ``rescore`` run did; ``run.json`` holds the same and more."""

    output: str
    counts: Counts
    before: Counts
    """Of the input."""
    parts: int
    rescored_rows: int
    """Rows that this very run rescored; the rest had been finished by earlier ones."""
    null_threshold: float
    always_answer: bool
    seconds: float
    promise: PromiseMade | None = None
    unfinished: str | None = None
    """What the output lacks, where annotate has not come to its end."""


def as_record(summary: RescoreSummary) -> dict[str, Any]:
    """The summary for programs."""
    return asdict(summary)


def describe(summary: RescoreSummary) -> str:
    """The summary as a few lines for people."""
    counts, before = summary.counts, summary.before
    rule = "every row that could be read is answered" if summary.always_answer else f"{summary.null_threshold:.6g}"
    lines = [
        *([] if summary.unfinished is None else [f"NOT FINISHED: {summary.unfinished}"]),
        f"{counts.rows:,} rows = {counts.answered:,} answered + {counts.no_answer:,} no answer "
        f"+ {counts.failed:,} failed",
        f"before: {before.answered:,} answered + {before.no_answer:,} no answer; null threshold now: {rule}",
        *([] if summary.promise is None else [in_words(summary.promise)]),
        f"{counted(summary.rescored_rows, 'row')} rescored in {summary.seconds:.1f} s"
        if summary.rescored_rows
        else "nothing to do: an earlier run has rescored them",
        summary.output,
    ]
    return "\n".join(lines)


def run_json(config: RescoreConfig, plan: Plan, summary: RescoreSummary, parent: Mapping[str, Any]) -> bytes:
    """The content of ``run.json``; ``parent`` is that of the input's."""
    record = {
        "command": plan.command,
        "settings": {**parent.get("settings", {}), **plan.settings},
        "rescore": config.model_dump(mode="json"),
        "parent": {"output": plan.parent.output, "plan": plan.parent.plan, "run": parent},
        "promise": None if summary.promise is None else asdict(summary.promise),
        "engine": parent.get("engine"),
        "versions": versions(),
        "fingerprints": {
            "algorithm": plan.algorithm,
            "weights_sha256": plan.weights_sha256,
            "tokenizer_sha256": plan.tokenizer_sha256,
            "settings": plan.settings,
            "input": plan.input,
        },
        "part": parent.get("part"),
        **asdict(summary.counts),
        "units": summary.parts,
        "rescored_rows": summary.rescored_rows,
        "seconds": round(summary.seconds, 3),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return json.dumps(record, indent=1, ensure_ascii=False).encode()


def run_of(folder: Place) -> dict[str, Any]:
    """``run.json`` of an output; nothing where its command has not come to its end.

    Raises:
        InputError: if it is none of ours.
    """
    try:
        record = json.loads(places.read(folder / RUN))
        return {**record, "settings": dict(record["settings"])}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder / RUN} must be a run.json of ray-qa, but is not") from error
