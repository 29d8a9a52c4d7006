from __future__ import annotations

import json
from dataclasses import replace

import pytest

from ray_qa.annotation.forecast import Forecast, GpuForecast, Memory
from ray_qa.annotation.forecast_text import as_record, describe
from ray_qa.metrics.bootstrap import Interval

PLAIN = Forecast(
    input=("in.parquet",),
    model="m",
    rows=1_000_000,
    units=500,
    questions=0,
    files=2,
    row_groups=40,
    largest_row_group_rows=25_000,
    largest_row_group_bytes=20_000_000,
    replicas=4,
    threads=1,
    engine="torch in float32 on cpu",
    probed_rows=256,
    windows_a_row=1.25,
    tokens_a_row=210.4,
    padding=0.071,
    repeated=0.0,
    cut_questions=0.01,
    many_windows=0.0,
    failed={},
    rows_a_second=100.0,
    rows_a_second_interval=Interval(low=80.0, high=125.0),
    seconds=2_500.0,
    seconds_interval=Interval(low=2_000.0, high=3_125.0),
    bytes_out=1.234e9,
    memory=Memory(replica=612_000_000, replicas_here=2, machine=24 * 10**9),
    gpus=(),
)


def test_a_forecast_says_what_there_is_and_what_it_would_take() -> None:
    assert describe(PLAIN).splitlines() == [
        "1,000,000 rows in 2 files, 40 row groups, 500 units",
        "from 256 rows that were read as a replica would (m):",
        "  1.25 windows and 210 tokens a row: some 1,250,000 windows, 210,000,000 tokens; 7.1 % padding beside them",
        "  1.0 % of questions cut, no row fails (of all rows 1.2 % at most, at 95 %)",
        "  100.0 rows/s a replica (95 %: 80.0 to 125.0; torch in float32 on cpu, 1 thread, here)",
        "4 replicas: 42 min (95 %: 33 min to 52 min), 2.78 replica-hours; beside them, what starting takes",
        "some 1.23 GB of output; some 612 MB of memory a replica",
    ]


def test_no_interval_is_told_from_too_few_rows() -> None:
    said = describe(replace(PLAIN, rows_a_second_interval=None, seconds_interval=None, seconds=3.21))
    assert "  100.0 rows/s a replica (too few rows for an interval; torch in float32 on cpu, 1 thread, here)" in said
    assert "4 replicas: 3.2 s, 0.00 replica-hours" in said
    assert "4 replicas: less than 1 s, " in describe(replace(PLAIN, seconds_interval=None, seconds=5.5e-05))


@pytest.mark.parametrize(
    ("change", "warning"),
    [
        ({"many_windows": 0.45}, "warning: 45 % of rows need more than 8 windows"),
        ({"failed": {"context_empty": 0.04, "question_missing": 0.03}}, "warning: 7 % of rows would fail"),
        ({"cut_questions": 0.2}, "warning: 20 % of questions are cut; see `max_question_tokens`"),
        ({"padding": 0.5}, "warning: 50 % of what is computed is padding"),
        ({"largest_row_group_bytes": 300 * 10**9}, "warning: one row group holds 25,000 rows, 300 GB of text"),
        (
            {"memory": Memory(replica=10 * 10**9, replicas_here=2, machine=24 * 10**9)},
            "warning: 2 replicas on a machine like this one would take 20 GB of its 24 GB of memory",
        ),
        ({"units": 3}, "warning: 3 units cannot keep 4 replicas busy; see `unit_rows`"),
        ({"seconds": 200_000.0}, "warning: longer than 24 hours"),
    ],
)
def test_what_will_hurt_is_said_last_and_to_programs(change: dict[str, object], warning: str) -> None:
    found = replace(PLAIN, **change)  # type: ignore[arg-type]  # each is a field with its type
    assert describe(found).splitlines()[-1].startswith(warning)
    (told,) = json.loads(json.dumps(as_record(found)))["warnings"]
    assert told.startswith(warning.removeprefix("warning: "))
    assert "warning" not in describe(PLAIN)


@pytest.mark.parametrize(("rows", "most"), [(1, "95.0"), (4, "52.7"), (256, "1.2")])
def test_of_few_rows_little_can_be_said(rows: int, most: str) -> None:
    assert f"no row fails (of all rows {most} % at most, at 95 %)" in describe(replace(PLAIN, probed_rows=rows))


def test_rows_that_are_read_once_are_told() -> None:
    line = "  75.0 % of rows ask what an earlier one of their unit asks, and are read once"
    assert line in describe(replace(PLAIN, repeated=0.75)).splitlines()


def test_failing_rows_are_told_by_reason() -> None:
    found = describe(replace(PLAIN, failed={"context_empty": 0.02, "question_missing": 0.01}))
    assert "3.0 % of rows fail: context_empty 2.0 %, question_missing 1.0 %" in found


def test_what_was_not_measured_is_marked_so() -> None:
    gpu = GpuForecast(name="A100", rows_a_second=1_000.0, hours=0.28, source="published")
    (line,) = [line for line in describe(replace(PLAIN, gpus=(gpu,))).splitlines() if "A100" in line]
    assert line == "NOT MEASURED HERE, by arithmetic, at best: A100: 1,000 rows/s, 17 min on one (published)"
