"""What annotate itself costs at scale, its forward pass left out: ``make bench-scale``, about 15 minutes on two cores.

Whole runs, from planning to the account of all rows, on a private Ray each; only the model is replaced, by one that
sleeps so long a row or, by default, answers at once. Texts are tiny (a dozen words), as the tokenizer's work is no
overhead. What is printed:

- runs by rows. Overhead in CPU: what all processes together spent between the first unit and the last part (driver,
  replicas, reading tasks, Ray's own), but for the tokenizer, a row. Overhead in wall: what a replica had of time for a
  row, but for the sleep; with a model that answers at once this has the wait for the tokenizer in it.
- where the CPU time of the longest run went, by process and by step.
- the driver's memory by units of one row; what it grows by from one size to the next is a unit's.
- the driver's work a unit, by replicas.
- planning, reading a plan back, listing parts and sharing units out, without Ray.

CPU seconds are less disturbed by others' work on the machine than the wall clock's, but not undisturbed.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.comparison.machine import this_machine
from benchmarks.comparison.report import table
from benchmarks.simulation.planning import PlanningFigures, measure_planning
from benchmarks.simulation.runs import Asked, RunFigures, simulate
from ray_qa.runs.versions import versions

RESULTS = Path(__file__).parent / "results"
ROWS = [10_000, 100_000, 1_000_000]
UNITS = [1_000, 10_000, 100_000, 1_000_000]
UNIT_OF_REPLICAS, SLEEP_OF_REPLICAS = 50, 0.032
"""Rows of a unit where replicas are counted, and what each sleeps for a row: 1.6 s a unit, as little else as can be."""


def main() -> None:
    """Measure what is asked for, print tables, write ``benchmarks/results/scale.json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="*", default=ROWS, help="runs in units of the default size")
    parser.add_argument("--sleeping-rows", type=int, nargs="*", default=[100_000], help="the same, with --sleep")
    parser.add_argument("--sleep", type=float, default=0.5, help="milliseconds a row")
    parser.add_argument("--in-flight", type=int, nargs="*", default=[500, 1_000, 3_000], help="runs of one-row units")
    parser.add_argument("--replicas", type=int, nargs="*", default=[1, 4, 16], help="runs of 30 units a replica")
    parser.add_argument("--units", type=int, nargs="*", default=UNITS, help="units to plan")
    options = parser.parse_args()
    print(this_machine().in_words, ", ".join(f"{name} {of}" for name, of in versions().items()), sep="\n", flush=True)
    by_rows = [Asked(rows=rows) for rows in options.rows]
    by_rows += [Asked(rows=rows, sleep=options.sleep / 1000) for rows in options.sleeping_rows]
    runs = _run_all(by_rows)
    if runs:
        print(f"\n{describe_rows(runs)}", flush=True)
        print(f"\n{describe_steps(max(runs, key=lambda run: run.asked.rows))}", flush=True)
    units = _run_all([Asked(rows=rows, unit_rows=1) for rows in options.in_flight])
    if units:
        print(f"\n{describe_units(units)}", flush=True)
    replicas = _run_all([_of_replicas(count) for count in options.replicas])
    if replicas:
        print(f"\n{describe_replicas(replicas)}", flush=True)
    planned = []
    for count in options.units:
        with tempfile.TemporaryDirectory() as scratch:
            planned.append(measure_planning(count, Path(scratch)))
    if planned:
        print(f"\n{describe_planning(planned)}", flush=True)
    record = {
        "machine": asdict(this_machine()),
        "versions": versions(),
        "runs": [asdict(run) for run in (*runs, *units, *replicas)],
        "planned": [asdict(each) for each in planned],
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "scale.json").write_text(json.dumps(record, indent=1) + "\n")


def describe_rows(runs: Sequence[RunFigures]) -> str:
    """Runs by rows."""
    head = (
        "rows", "units", "slept a row, ms", "s", "rows/s", "overhead a row: CPU, ms", "wall, ms",
        "driver MiB before", "at most",
    )  # fmt: skip
    lines = [
        (
            f"{run.asked.rows:,}",
            f"{run.units:,}",
            f"{run.asked.sleep * 1000:g}",
            f"{run.run_seconds:.1f}",
            f"{run.rows_per_second:,.0f}",
            f"{run.overhead_in_cpu * 1000:.3f}",
            f"{run.overhead_in_wall * 1000:.3f}",
            f"{run.driver_mib_at_first:.0f}",
            f"{run.driver_mib_at_most:.0f}",
        )
        for run in runs
    ]
    return table(head, lines)


def describe_steps(run: RunFigures) -> str:
    """Where the CPU time of a run went."""
    steps = asdict(run.profile.steps)
    named = {name: steps[name] for name in ("tokenise", "read", "pack", "unpack", "collate", "decode", "write")}
    cells = [(f"all of: {kind}", seconds) for kind, seconds in run.cpu_seconds.items()]
    cells += [(f"step: {name}", seconds) for name, seconds in named.items()]
    lines = [(name, f"{seconds:.2f}", f"{seconds / run.asked.rows * 1000:.4f}") for name, seconds in cells]
    return table((f"of {run.asked.rows:,} rows", "CPU s", "ms a row"), lines)


def describe_units(runs: Sequence[RunFigures]) -> str:
    """Runs by units of one row."""
    head = (
        "units of a row",
        "s",
        "units/s",
        "CPU a unit, ms",
        "of the driver",
        "driver MiB before",
        "at most",
        "at end",
    )
    lines = [
        (
            f"{run.units:,}",
            f"{run.run_seconds:.1f}",
            f"{run.units / run.run_seconds:.1f}",
            f"{sum(run.cpu_seconds.values()) / run.units * 1000:.1f}",
            f"{run.cpu_seconds['driver'] / run.units * 1000:.1f}",
            f"{run.driver_mib_at_first:.1f}",
            f"{run.driver_mib_at_most:.1f}",
            f"{run.driver_mib_at_last:.1f}",
        )
        for run in runs
    ]
    return table(head, lines)


def describe_replicas(runs: Sequence[RunFigures]) -> str:
    """Runs by replicas."""
    head = ("replicas", "units", "units/s", "driver's CPU a unit, ms", "Ray's own", "driver's share of a core")
    lines = [
        (
            f"{run.asked.replicas}",
            f"{run.units:,}",
            f"{run.units / run.run_seconds:.1f}",
            f"{run.cpu_seconds['driver'] / run.units * 1000:.1f}",
            f"{run.cpu_seconds['Ray'] / run.units * 1000:.1f}",
            f"{run.cpu_seconds['driver'] / run.run_seconds:.0%}",
        )
        for run in runs
    ]
    return table(head, lines)


def describe_planning(planned: Sequence[PlanningFigures]) -> str:
    """Planning by units."""
    head = ("units", "planned, CPU s", "written", "read back", "listed", "shared out", "MiB")
    lines = [
        (
            f"{each.units:,}",
            *(f"{s:.2f}" for s in (each.planned, each.written, each.read_back, each.listed, each.shared_out)),
            f"{each.mib:.0f}",
        )
        for each in planned
    ]
    return table(head, lines)


def _of_replicas(count: int) -> Asked:
    units = 30 * count
    return Asked(rows=units * UNIT_OF_REPLICAS, unit_rows=UNIT_OF_REPLICAS, sleep=SLEEP_OF_REPLICAS, replicas=count)


def _run_all(all_asked: Sequence[Asked]) -> list[RunFigures]:
    runs = []
    for asked in all_asked:
        with tempfile.TemporaryDirectory() as scratch:
            runs.append(simulate(asked, Path(scratch)))
    return runs


if __name__ == "__main__":
    main()
