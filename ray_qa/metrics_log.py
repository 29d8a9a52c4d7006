"""``metrics.jsonl``: a line for every few steps and every evaluation, written as they happen."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from ray_qa.storage import publish

METRICS = "metrics.jsonl"
Metrics = Mapping[str, float]


def append_metrics(path: Path, metrics: Metrics) -> None:
    """Add a line; it is on its way to the disk when this returns."""
    with path.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(metrics) + "\n")


def read_metrics(path: Path) -> list[dict[str, float]]:
    """All whole lines; none where there is no file. A line that is being written is passed over."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    found = []
    for line in lines:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def go_back_to(path: Path, step: int) -> None:
    """Take away the lines after ``step``: a run that resumes there will write them again."""
    kept = [metrics for metrics in read_metrics(path) if metrics["step"] <= step]
    publish(path, "".join(json.dumps(metrics) + "\n" for metrics in kept).encode())
