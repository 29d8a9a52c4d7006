"""How long a run that goes on takes to see that all is done, by the number of finished units, in a folder or a bucket.

``python -m benchmarks.resume --output s3://bucket/resume --units 1000 10000 100000``. The parts are laid down first,
copies of one with the label that the plan asks for, and told of in a manifest as a driver tells of them; what is timed
is the command, from its settings to its summary.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.comparison.machine import this_machine
from ray_qa import AnnotateConfig, annotate
from ray_qa.annotation.manifest import CountsKept, KnownPart
from ray_qa.annotation.output import Plan, join_plan, plan_digest
from ray_qa.annotation.planning import check_what_is_named, plan_of
from ray_qa.data.parts import part_path
from ray_qa.runs.ownership import claim
from ray_qa.runs.part_labels import Counts, PartLabel
from ray_qa.storage import places
from ray_qa.storage.remote import Place, place_of

WRITERS = 32
ONE_ROW = Counts(rows=1, answered=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """What one size took, in seconds."""

    units: int
    planning: float
    resuming: float
    finished: float
    """Telling of an output that is marked as finished."""


def main() -> None:
    """Measure every size, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--units", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--output", help="a folder or URL for what is measured; a temporary folder unless given")
    options = parser.parse_args()
    print(this_machine().in_words)
    print("| units | planned in s | resumed in s | finished, told again in s |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for units in options.units:
            base = place_of(options.output or f"{folder}/out", "output") / str(units)
            measured = measure(units, base, Path(folder))
            print(
                f"| {measured.units:,} | {measured.planning:.2f} | {measured.resuming:.2f} | {measured.finished:.2f} |",
                flush=True,
            )


def measure(units: int, output: Place, scratch: Path) -> Resumed:
    """Lay a run down that has everything but its end, and run the command."""
    rows = scratch / f"{units}.parquet"
    pq.write_table(pa.table({"question": ["who?"] * units, "context": ["somebody"] * units}), rows)
    config = AnnotateConfig(
        input=(str(rows),), output=str(output), unit_rows=1, backend="torch", dtype="float32", batch_tokens=1_024
    )
    began = time.perf_counter()
    plan = join_plan(config.folder, plan_of(config, check_what_is_named(config, config.folder)))
    planning = time.perf_counter() - began
    lay_down(plan, config.folder)
    return Resumed(units=units, planning=planning, resuming=seconds_of(config), finished=seconds_of(config))


def lay_down(plan: Plan, folder: Place) -> None:
    """Publish a part for every unit, and what a driver would have told of them."""
    digest = plan_digest(plan)
    table = pa.table({"answer": ["somebody"]})
    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata(PartLabel(plan=digest, counts=ONE_ROW).as_metadata()), sink)
    content = sink.getvalue().to_pybytes()
    numbers = [unit.number for unit in plan.units]
    with ThreadPoolExecutor(WRITERS) as threads:
        versions = list(threads.map(lambda number: places.publish(part_path(folder, number), content), numbers))
    kept = CountsKept(folder=folder, plan=digest)
    for number, version in zip(numbers, versions, strict=True):
        kept.add(number, KnownPart(version=version, counts=ONE_ROW))
    kept.publish()
    claim(folder, digest)


def seconds_of(config: AnnotateConfig) -> float:
    """How long the command takes."""
    began = time.perf_counter()
    summary = annotate(config)
    assert summary.counts.rows == summary.units
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
