"""``metrics.jsonl``: a line for every few steps and every evaluation, written as they happen."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import BinaryIO

from ray_qa.storage.places import exists, publish, read
from ray_qa.storage.remote import Place, Remote

METRICS = "metrics.jsonl"
Metrics = Mapping[str, float]
EVALUATED, TRAINED = "eval_f1", "loss"
"""Every line of the log has one of the two; it tells which kind it is."""
NOT_FIGURES = frozenset({"step", "steps", "epoch", "time"})


def append_metrics(place: Place, metrics: Metrics) -> None:
    """Add a line; it is on its way to the disk when this returns. A bucket appends nothing: all is published again."""
    line = json.dumps(metrics).encode() + b"\n"
    if isinstance(place, Remote):
        publish(place, (read(place) if exists(place) else b"") + line)
        return
    with place.open("ab+") as stream:
        if _is_torn(stream):
            stream.write(b"\n")
        stream.write(line)


def read_metrics(place: Place) -> list[dict[str, float]]:
    """All whole lines; none where there is no file. What is not a whole line is passed over: it is being written."""
    try:
        lines = read(place).splitlines()
    except FileNotFoundError:
        return []
    found = []
    for line in lines:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def go_back_to(place: Place, step: int) -> None:
    """Take away the lines after ``step``: a run that resumes there will write them again."""
    kept = [metrics for metrics in read_metrics(place) if metrics["step"] <= step]
    publish(place, "".join(json.dumps(metrics) + "\n" for metrics in kept).encode())


def kind_of(line: Metrics) -> str:
    """Which kind of line it is: ``TRAINED`` or ``EVALUATED``."""
    return EVALUATED if EVALUATED in line else TRAINED


def figures_of(line: Metrics) -> Iterator[tuple[str, float]]:
    """What a line measures, by name."""
    return ((name, float(value)) for name, value in line.items() if name not in NOT_FIGURES)


def _is_torn(stream: BinaryIO) -> bool:
    """Whether who wrote the last line was killed in the middle of it."""
    if not stream.seek(0, os.SEEK_END):
        return False
    stream.seek(-1, os.SEEK_END)
    return stream.read(1) != b"\n"
