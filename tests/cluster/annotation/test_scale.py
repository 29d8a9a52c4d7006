"""The simulation of benchmarks.scale, at a tiny size."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from benchmarks.scale import describe_planning, describe_replicas, describe_rows, describe_steps, describe_units
from benchmarks.simulation.planning import measure_planning
from benchmarks.simulation.runs import Asked, simulate


@pytest.mark.slow
def test_a_run_whose_model_sleeps_is_a_whole_run_and_tells_what_it_took(tmp_path: Path) -> None:
    run = simulate(Asked(rows=60, unit_rows=10, sleep=0.02), tmp_path)
    (output,) = tmp_path.glob("out-*")
    parts = [pq.read_table(part) for part in sorted(output.glob("part-*.parquet"))]
    assert (output / "_SUCCESS").is_file()
    assert [part.num_rows for part in parts] == [10] * 6 == [10] * run.units
    assert {answer for part in parts for answer in part["answer"].to_pylist()} == {"a"}
    assert 60 * 0.02 <= run.run_seconds < run.start_seconds + run.run_seconds
    assert all(seconds > 0 for seconds in (run.cpu_seconds["driver"], run.cpu_seconds["replicas"]))
    assert run.profile.steps.forward < 60 * 0.02  # CPU seconds: a sleep has none
    assert 0 < run.driver_mib_at_first <= run.driver_mib_at_most
    for describe in (describe_rows, describe_units, describe_replicas):
        assert len(describe([run]).splitlines()) == 3
    assert "step: tokenise" in describe_steps(run)


def test_planning_is_measured_lap_by_lap(tmp_path: Path) -> None:
    planned = measure_planning(30, tmp_path)
    assert planned.units == 30 == len(list(tmp_path.glob("planned-*/part-*.parquet")))
    assert planned.planned > 0
    assert "| 30 " in describe_planning([planned])
