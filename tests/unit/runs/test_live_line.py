from __future__ import annotations

import os
import re
import sys
import time

import pytest

from ray_qa.runs import live_line
from ray_qa.runs.live_line import ProgressLine, counted, duration, shown
from ray_qa.runs.log import logged


def line(text: str) -> ProgressLine:
    return ProgressLine(text=text, figures={"words": text.split()})


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
    texts = iter(["starting", "starting", "starting", *map(str, range(10_000))])
    with logged("annotate", "text"), shown(lambda: line(next(texts))):
        time.sleep(0.1)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) > 1
    assert re.fullmatch(r"\d\d:\d\d:\d\d starting", captured.err.splitlines()[0])
    assert captured.err.count("starting") == 1  # what has not changed is not said again

    time.sleep(0.05)
    assert capsys.readouterr().err == ""  # it has ended with the block


def test_what_does_not_change_for_long_is_said_again_with_how_long(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(live_line, "LOG_SECONDS", 0.01)
    monkeypatch.setattr(live_line, "STILL_SECONDS", 0.1)
    monkeypatch.setenv("TTY_COMPATIBLE", "0")
    with logged("annotate", "text"), shown(lambda: line("calibrating")):
        time.sleep(0.5)
    first, *again = capsys.readouterr().err.splitlines()
    assert first.endswith(" calibrating")
    assert 1 <= len(again) <= 5
    assert all(said.endswith(" calibrating (for 0:00)") for said in again)


def test_a_run_that_fails_ends_the_log_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(live_line, "LOG_SECONDS", 0.01)
    monkeypatch.setenv("TTY_COMPATIBLE", "0")
    with pytest.raises(ZeroDivisionError), logged("annotate", "text"), shown(lambda: line("starting")):
        raise ZeroDivisionError
    capsys.readouterr()
    time.sleep(0.05)
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_one_live_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("COLUMNS", "200")
    told = ["0/500 rows"]
    with logged("annotate", "text"), shown(lambda: line(told[-1])):
        told.append("500/500 rows")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "500/500 rows" in captured.err


@pytest.mark.parametrize("terminal", ["0", "1"])
def test_the_line_is_seen_while_standard_error_is_silent(
    terminal: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(live_line, "LOG_SECONDS", 0.01)
    monkeypatch.setenv("TTY_COMPATIBLE", terminal)
    monkeypatch.setattr(sys, "stderr", open(2, "w", closefd=False))  # noqa: SIM115  # pytest's has another descriptor
    kept, nowhere, told = os.dup(2), os.open(os.devnull, os.O_WRONLY), ["reading"]
    with logged("annotate", "text"), shown(lambda: line(told[-1])):
        os.dup2(nowhere, 2)  # as when Ray starts
        told.append("starting Ray")
        time.sleep(0.7)
        told.append("starting workers")
        time.sleep(0.7)
        os.dup2(kept, 2)
    os.close(kept)
    os.close(nowhere)
    assert "starting Ray" in capfd.readouterr().err


@pytest.mark.parametrize(("count", "text"), [(0, "0 units"), (1, "1 unit"), (2_000, "2,000 units")])
def test_one_is_no_plural(count: int, text: str) -> None:
    assert counted(count, "unit") == text


def test_a_narrow_terminal_gets_the_whole_line_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("COLUMNS", "40")
    with (
        logged("annotate", "text"),
        shown(lambda: line("1,000/10,000 rows · 100.0 rows/s · 994 answered · 4 no answer · 2 failed")),
    ):
        time.sleep(0.01)
    assert "2 failed" in " ".join(capsys.readouterr().err.split())
