"""Planning, resuming from a listing, and sharing out, lap by lap: what the driver does before there is any work."""

from __future__ import annotations

import itertools
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from benchmarks.simulation.footprint import own_mib
from benchmarks.simulation.runs import SETTINGS, write_rows
from ray_qa import AnnotateConfig
from ray_qa.annotation.output import join_plan, plan_digest, read_plan
from ray_qa.annotation.planning import check_what_is_named, plan_of
from ray_qa.annotation.reading_tasks import blocks_to_read
from ray_qa.data.parts import part_numbers, part_path


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanningFigures:
    """CPU seconds of each lap, the system's included, and what the driver's memory grew by."""

    units: int
    planned: float
    """Input and model looked at, and the units cut."""
    written: float
    """The plan, and its digest."""
    read_back: float
    listed: float
    """All parts, by name."""
    shared_out: float
    """All units, among reading tasks."""
    mib: float
    """From before the first lap to after the last."""


def measure_planning(units: int, scratch: Path) -> PlanningFigures:
    """Plan so many units of one row each, in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_measure, units, scratch).result()


def _measure(units: int, scratch: Path) -> PlanningFigures:
    source, output = scratch / f"{units}.parquet", scratch / f"planned-{units}"
    write_rows(source, units)
    config = AnnotateConfig(input=(str(source),), output=str(output), unit_rows=1, **SETTINGS)
    memory, laps = own_mib("self"), [time.process_time()]
    named = check_what_is_named(config, output)
    plan = plan_of(config, named)
    laps.append(time.process_time())
    join_plan(output, plan)
    plan_digest(plan)
    laps.append(time.process_time())
    earlier = read_plan(output)
    assert earlier is not None
    laps.append(time.process_time())
    for unit in plan.units:
        part_path(output, unit.number).touch()
    laps.append(time.process_time())
    assert len(part_numbers(output)) == units
    laps.append(time.process_time())
    blocks = blocks_to_read(earlier.units, named.inputs.sources)
    laps.append(time.process_time())
    assert sum(block.num_rows for block in blocks) == units
    planned, written, read_back, _, listed, shared_out = (stop - start for start, stop in itertools.pairwise(laps))
    return PlanningFigures(
        units=units,
        planned=planned,
        written=written,
        read_back=read_back,
        listed=listed,
        shared_out=shared_out,
        mib=own_mib("self") - memory,
    )
