from __future__ import annotations

import time

import pytest

from ray_qa.annotation.progress import Progress
from ray_qa.annotation.summary import UnitSummary
from ray_qa.runs.part_labels import Counts


def summary(rows: int, *, started: float = 100.0, replica: str = "node:1") -> UnitSummary:
    counts = Counts(rows=rows, answered=rows - 3, no_answer=2, failed=1)
    return UnitSummary(unit=0, counts=counts, replica=replica, started=started, published=started + 1)


@pytest.fixture
def at_noon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten seconds after the first unit's encoding began."""
    monkeypatch.setattr(time, "time", lambda: 110.0)


@pytest.mark.usefixtures("at_noon")
def test_the_line_tells_rows_rate_outcomes_units_replicas_and_time_left() -> None:
    state = Progress(rows=10_000)
    state.go_on_from(Counts(), 0, of=20)
    state.add(summary(500, started=100.0))
    state.add(summary(500, started=105.0, replica="node:2"))
    assert state.line().text == (
        "1,000/10,000 rows · 100.0 rows/s · 994 answered · 4 no answer · 2 failed · unit 2/20 · 2 replicas · 1:30 left"
    )


@pytest.mark.usefixtures("at_noon")
def test_rows_of_earlier_runs_count_as_done_but_not_for_the_rate() -> None:
    state = Progress(rows=2_000)
    state.go_on_from(Counts(rows=1_000, answered=1_000), 2, of=4)
    assert state.line().text == "starting Ray · 1,000 of 2,000 rows were done before"
    state.add(summary(500))
    line = state.line().text
    assert line.startswith("1,500/2,000 rows · 50.0 rows/s · 1,497 answered")
    assert line.endswith("unit 3/4 · 1 replica · 0:10 left")


@pytest.mark.usefixtures("at_noon")
def test_a_unit_without_rows_does_not_divide_by_nothing() -> None:
    state = Progress(rows=10)
    state.add(UnitSummary(unit=0, counts=Counts(), replica="r", started=110.0, published=110.0))
    assert "0.0 rows/s" in state.line().text
