"""What is written down about a run: ``run.json`` for programs, a short summary for people."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ray_qa.annotation.output import RUN, Plan
from ray_qa.errors import OutputError
from ray_qa.records import Counts, RunSummary
from ray_qa.runs.live_line import duration
from ray_qa.settings import AnnotateConfig, ReadingSettings

PACKAGES = ("ray_qa", "ray", "torch", "transformers", "tokenizers", "pyarrow", "numpy")
IDENTITY = ("question_column", "context_column", "keep", "prefix", "dtype", *ReadingSettings.model_fields)
"""Settings that decide what the parts hold; a run with others must not be mixed in."""


def identity_settings(config: AnnotateConfig) -> dict[str, Any]:
    """The settings a run must share with the one it resumes."""
    return config.model_dump(mode="json", include=set(IDENTITY))


def run_json(config: AnnotateConfig, plan: Plan, summary: RunSummary) -> bytes:
    """The content of ``run.json``."""
    record = {
        "settings": config.model_dump(mode="json"),
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "fingerprints": {
            "weights_sha256": plan.weights_sha256,
            "tokenizer_sha256": plan.tokenizer_sha256,
            "settings": plan.settings,
            "input": [asdict(file) for file in plan.input],
        },
        **asdict(summary.counts),
        "units": summary.units,
        "scored_rows": summary.scored_rows,
        "start_seconds": round(summary.start_seconds, 3),
        "run_seconds": round(summary.run_seconds, 3),
        "rows_per_second": round(summary.rows_per_second, 3),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return json.dumps(record, indent=1, ensure_ascii=False).encode()


def read_summary(folder: Path, exit_code_for: float) -> RunSummary:
    """The summary of a finished run.

    Args:
        folder: its output folder.
        exit_code_for: the ``max_failed`` to judge it by.

    Raises:
        OutputError: if ``run.json`` is not there or not ours.
    """
    try:
        record: Mapping[str, Any] = json.loads((folder / RUN).read_bytes())
        counts = Counts(**{name: record[name] for name in Counts.__slots__})
        return RunSummary(
            output=str(folder),
            counts=counts,
            units=record["units"],
            scored_rows=record["scored_rows"],
            start_seconds=record["start_seconds"],
            run_seconds=record["run_seconds"],
            exit_code=exit_code(counts, exit_code_for),
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
        f"{counts.rows:,} rows = {counts.answered:,} answered + {counts.no_answer:,} no answer "
        f"+ {counts.failed:,} failed",
        f"{summary.rows_per_second:,.1f} rows/s: {summary.scored_rows:,} rows in {duration(summary.run_seconds)} "
        f"after {summary.start_seconds:.0f} s of start-up; {summary.units:,} units",
        f"{summary.output}",
    ]
    if counts.questions_cut:
        lines.insert(1, f"{counts.questions_cut:,} questions were longer than max_question_tokens and were cut")
    if summary.exit_code == 3:
        lines.append("more rows failed than --max-failed allows: exit code 3")
    return "\n".join(lines)
