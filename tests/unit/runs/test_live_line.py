from __future__ import annotations

import re
import time

import pytest

from ray_qa.records import Counts, UnitSummary
from ray_qa.runs import live_line
from ray_qa.runs.live_line import Progress, duration, shown


def summary(rows: int, *, started: float = 100.0, replica: str = "node:1") -> UnitSummary:
    counts = Counts(rows=rows, answered=rows - 3, no_answer=2, failed=1)
    return UnitSummary(unit=0, counts=counts, replica=replica, encoding_started=started, published=started + 1)


@pytest.fixture
def at_noon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten seconds after the first unit's encoding began."""
    monkeypatch.setattr(time, "time", lambda: 110.0)


@pytest.mark.usefixtures("at_noon")
def test_the_line_tells_rows_rate_outcomes_units_replicas_and_time_left() -> None:
    state = Progress(rows=10_000, units=20, done=Counts(), done_units=0)
    state.add(summary(500, started=100.0))
    state.add(summary(500, started=105.0, replica="node:2"))
    assert state.line() == (
        "1,000/10,000 rows · 100.0 rows/s · 994 answered · 4 no answer · 2 failed · unit 2/20 · 2 replicas · 1:30 left"
    )


@pytest.mark.usefixtures("at_noon")
def test_rows_of_earlier_runs_count_as_done_but_not_for_the_rate() -> None:
    state = Progress(rows=2_000, units=4, done=Counts(rows=1_000, answered=1_000), done_units=2)
    assert state.line() == "starting Ray and loading the model · 1,000 of 2,000 rows were done before"
    state.add(summary(500))
    line = state.line()
    assert line.startswith("1,500/2,000 rows · 50.0 rows/s · 1,497 answered")
    assert line.endswith("unit 3/4 · 1 replica · 0:10 left")


@pytest.mark.usefixtures("at_noon")
def test_a_unit_without_rows_does_not_divide_by_nothing() -> None:
    state = Progress(rows=10, units=2, done=Counts(), done_units=0)
    state.add(UnitSummary(unit=0, counts=Counts(), replica="r", encoding_started=110.0, published=110.0))
    assert "0.0 rows/s" in state.line()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0:00"), (59.4, "0:59"), (59.6, "1:00"), (3_599, "59:59"), (3_600, "1:00:00"), (90_061, "25:01:01")],
)
def test_durations_are_minutes_or_hours(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_log_line_comes_from_time_to_time_where_there_is_no_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(live_line, "LOG_SECONDS", 0.01)
    monkeypatch.setenv("TTY_COMPATIBLE", "0")
    state = Progress(rows=10, units=1, done=Counts(), done_units=0)
    with shown(state.line):
        time.sleep(0.1)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) > 1
    assert re.fullmatch(r"\d\d:\d\d:\d\d starting Ray and loading the model", captured.err.splitlines()[0])

    time.sleep(0.05)
    assert capsys.readouterr().err == ""  # it has ended with the block


def test_a_run_that_fails_ends_the_log_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(live_line, "LOG_SECONDS", 0.01)
    monkeypatch.setenv("TTY_COMPATIBLE", "0")
    with pytest.raises(ZeroDivisionError), shown(Progress(rows=10, units=1, done=Counts(), done_units=0).line):
        raise ZeroDivisionError
    capsys.readouterr()
    time.sleep(0.05)
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_one_live_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("COLUMNS", "200")
    state = Progress(rows=500, units=1, done=Counts(), done_units=0)
    with shown(state.line):
        state.add(summary(500))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "500/500 rows" in captured.err
