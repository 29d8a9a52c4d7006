"""Whole runs of annotate whose model sleeps, each in a process of its own with a Ray of its own, watched from here."""

from __future__ import annotations

import os
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.simulation.footprint import Kind, watched
from benchmarks.simulation.sleeping_model import sleeping_stages
from ray_qa import AnnotateConfig, annotate
from ray_qa.annotation.profile import Profile
from ray_qa.cluster.connection import connected
from ray_qa.reader.batching import BATCH_TOKENS

ROW_GROUP = 100_000
CONTEXT = "a short context of a dozen words, each row with a number of its own:"
SETTINGS: dict[str, Any] = {
    "backend": "torch",
    "device": "cpu",
    "dtype": "float32",
    "batch_tokens": BATCH_TOKENS["reading"]["cuda"],
    "profile": True,
}
"""Batches as a GPU has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A run: how many rows, in units of how many, how long the model sleeps a row, and how many replicas there are."""

    rows: int
    unit_rows: int | Literal["auto"] = "auto"
    sleep: float = 0.0
    replicas: int = 1

    @property
    def config(self) -> dict[str, Any]:
        """Its settings; all replicas together book one CPU, that tasks have room to read on two."""
        room = {"replicas": str(self.replicas), "cpus_per_replica": 1.0 / self.replicas}
        return {**SETTINGS, **room, "unit_rows": self.unit_rows}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFigures:
    """What a run took."""

    asked: Asked
    units: int
    start_seconds: float
    run_seconds: float
    """From the first unit's scoring to the last part's publication."""
    end_seconds: float
    """From there to the command's return."""
    cpu_seconds: dict[Kind, float]
    """In the run, by kind of process."""
    driver_mib_at_first: float
    """The driver's memory before it hands out units."""
    driver_mib_at_most: float
    driver_mib_at_last: float
    profile: Profile

    @property
    def rows_per_second(self) -> float:
        """Rows of the run a second."""
        return self.asked.rows / self.run_seconds

    @property
    def overhead_in_cpu(self) -> float:
        """CPU seconds a row of all processes together, but for the tokenizer's."""
        return (sum(self.cpu_seconds.values()) - self.profile.steps.tokenise) / self.asked.rows

    @property
    def overhead_in_wall(self) -> float:
        """Seconds a row that replicas had, but for those that the model was to sleep."""
        return self.run_seconds * self.asked.replicas / self.asked.rows - self.asked.sleep


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ran:
    units: int
    called: float
    first: float
    last: float
    returned: float
    profile: Profile


def write_rows(path: Path, rows: int) -> None:
    """A corpus of tiny texts, of which no two are the same."""
    columns = [("question", pa.string()), ("context", pa.string())]
    with pq.ParquetWriter(path, pa.schema(columns), use_dictionary=False) as writer:
        for first in range(0, rows, ROW_GROUP):
            numbers = range(first, min(first + ROW_GROUP, rows))
            questions, contexts = [f"which is {n}?" for n in numbers], [f"{CONTEXT} {n}" for n in numbers]
            writer.write_table(pa.table({"question": questions, "context": contexts}), row_group_size=ROW_GROUP)


def simulate(asked: Asked, scratch: Path) -> RunFigures:
    """Run annotate, and look on."""
    source = scratch / f"{asked.rows}.parquet"
    if not source.exists():
        write_rows(source, asked.rows)
    output = scratch / f"out-{asked.rows}-{asked.unit_rows}-{asked.sleep:g}-{asked.replicas}"
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        driver = pool.submit(os.getpid).result()
        with watched(driver) as footprint:
            ran = pool.submit(_run, asked, source, output).result()
    whole, before = footprint.driver_mib(ran.called, ran.returned), footprint.driver_mib(ran.called, ran.first)
    return RunFigures(
        asked=asked,
        units=ran.units,
        start_seconds=ran.first - ran.called,
        run_seconds=ran.last - ran.first,
        end_seconds=ran.returned - ran.last,
        cpu_seconds=footprint.cpu_between(ran.first, ran.last),
        driver_mib_at_first=before[-1],
        driver_mib_at_most=max(whole),
        driver_mib_at_last=whole[-1],
        profile=ran.profile,
    )


def _run(asked: Asked, source: Path, output: Path) -> _Ran:
    config = AnnotateConfig(input=(str(source),), output=str(output), **asked.config)
    # Ray is started here and left running behind the command, that nothing of its end is missed.
    with connected("local"), sleeping_stages(asked.sleep):
        called = time.time()
        summary = annotate(config)
        returned = time.time()
    assert summary.counts.answered == asked.rows
    assert summary.profile is not None
    first = called + summary.start_seconds
    return _Ran(
        units=summary.units,
        called=called,
        first=first,
        last=first + summary.run_seconds,
        returned=returned,
        profile=summary.profile,
    )
