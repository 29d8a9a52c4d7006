from __future__ import annotations

import io
import json
import logging
import math
import re
import time
import warnings
from contextlib import redirect_stderr
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_qa.runs import live_line
from ray_qa.runs.live_line import ProgressLine, shown
from ray_qa.runs.log import as_logged, log_as, log_error, log_progress, logged, notice

OTHERS = logging.getLogger("somebody.elses")
VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text()


def records(said: str) -> list[dict[str, Any]]:
    """What was said, as a log collector reads it: strictly, and line by line."""
    return [
        json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
        for line in said.split("\n")[:-1]
    ]


def say_all() -> None:
    """Something of every kind."""
    notice("the first", "the second")
    log_progress("1/2 rows", {"rows": 1, "rows_total": 2})
    logging.getLogger("ray_qa.storage.local").warning("may be lost")
    log_error("`stride` must be 3, but is 4")


def test_people_get_lines_that_name_the_command_and_progress_with_the_time_of_day(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with logged("annotate", "text"):
        say_all()
    first, second, progress, warned, error = capsys.readouterr().err.splitlines()
    assert (first, second) == ("ray-qa annotate: the first", "ray-qa annotate: the second")
    assert re.fullmatch(r"\d\d:\d\d:\d\d 1/2 rows", progress)
    assert warned == "ray-qa annotate: may be lost"
    assert error == "ray-qa annotate: `stride` must be 3, but is 4"


def test_programs_get_an_object_a_line_with_time_command_level_and_message(capsys: pytest.CaptureFixture[str]) -> None:
    before = datetime.now().astimezone()
    with logged("finetune", "json"):
        say_all()
    said = records(capsys.readouterr().err)
    assert [(each["level"], each["message"]) for each in said] == [
        ("info", "the first"),
        ("info", "the second"),
        ("info", "1/2 rows"),
        ("warning", "may be lost"),
        ("error", "`stride` must be 3, but is 4"),
    ]
    assert {each["command"] for each in said} == {"finetune"}
    times = [datetime.fromisoformat(each["time"]) for each in said]
    assert all(time.tzinfo is not None for time in times)
    assert times == sorted(times)
    assert 0 <= (times[0] - before).total_seconds() + 0.001 < 60
    assert [each.get("event") for each in said] == [None, None, "progress", None, None]
    assert {name: said[2][name] for name in ("rows", "rows_total")} == {"rows": 1, "rows_total": 2}


@pytest.mark.parametrize("form", ["text", "json"])
def test_who_wants_it_quiet_gets_warnings_and_errors_alone(form: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with logged("annotate", form, quiet=True):
        say_all()
        with shown(lambda: pytest.fail("nobody wants to know")):
            pass
    warned, error = capsys.readouterr().err.splitlines()
    assert "may be lost" in warned
    assert "`stride`" in error


@given(message=st.text(), figures=st.dictionaries(st.text(), VALUES, min_size=1))
def test_whatever_is_said_is_one_line_of_json_in_ascii(message: str, figures: dict[str, Any]) -> None:
    stream = io.StringIO()
    with redirect_stderr(stream), logged("annotate", "json"):
        log_progress(message, figures)
        log_error(message)
    said = stream.getvalue()
    assert said.isascii()
    progress, error = records(said)
    assert error["message"] == message
    for name, value in figures.items():
        assert progress[name] == (None if isinstance(value, float) and not math.isfinite(value) else value)


def test_what_others_say_and_nobody_takes_is_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logging.root, "handlers", [])  # pytest's own
        with logged("annotate", "json"), warnings.catch_warnings():
            warnings.simplefilter("always")
            OTHERS.warning("two\nlines")
            warnings.warn("an old name", FutureWarning, stacklevel=1)
        said = records(capsys.readouterr().err)
    assert [(each["logger"], each["level"]) for each in said] == [
        ("somebody.elses", "warning"),
        ("py.warnings", "warning"),
    ]
    assert said[0]["message"] == "two\nlines"
    assert "FutureWarning: an old name" in said[1]["message"]


def test_what_an_application_logs_itself_stays_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    theirs = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(logging.root, "handlers", [logging.StreamHandler(theirs)])
        with logged("annotate", "json"):
            OTHERS.warning("of the application")
            notice("of ours")
    assert theirs.getvalue() == "of the application\n"
    (ours,) = records(capsys.readouterr().err)
    assert ours["message"] == "of ours"


def test_all_is_as_before_when_a_command_has_ended(capsys: pytest.CaptureFixture[str]) -> None:
    def state() -> tuple[Any, ...]:
        ours = logging.getLogger("ray_qa")
        return list(ours.handlers), ours.level, ours.propagate, logging.lastResort, warnings.showwarning

    before = state()
    with pytest.raises(ZeroDivisionError), logged("annotate", "json"):
        raise ZeroDivisionError
    assert state() == before
    with logged("demo", "text"):
        with logged("annotate", "json", quiet=True):
            pass
        notice("again")
    assert capsys.readouterr().err == "ray-qa demo: again\n"


def test_a_command_may_learn_its_form_while_it_runs(capsys: pytest.CaptureFixture[str]) -> None:
    with logged("annotate", "text"):
        notice("in words")
        log_as("json", quiet=True)
        notice("not said")
        log_error("as an object")
    first, second = capsys.readouterr().err.splitlines()
    assert first == "ray-qa annotate: in words"
    assert json.loads(second)["message"] == "as an object"


def test_a_crash_is_one_object_with_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    with logged("annotate", "json"):
        try:
            raise ZeroDivisionError("by nothing")
        except ZeroDivisionError as error:
            log_error("by nothing", error)
    (said,) = records(capsys.readouterr().err)
    assert said["message"] == "by nothing"
    assert said["traceback"].startswith("Traceback (most recent call last):\n")
    assert said["traceback"].endswith("ZeroDivisionError: by nothing\n")


def test_a_line_can_be_had_without_being_said(capsys: pytest.CaptureFixture[str]) -> None:
    with logged("annotate", "text"):
        assert as_logged("stopped") == "ray-qa annotate: stopped"
    with logged("annotate", "json"):
        said = json.loads(as_logged("stopped"))
    assert (said["level"], said["message"], said["command"]) == ("warning", "stopped", "annotate")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("terminal", ["0", "1"])
def test_progress_is_json_on_a_terminal_too(
    terminal: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(live_line, "LOG_SECONDS", 0.01)
    monkeypatch.setattr(live_line, "STILL_SECONDS", 0.1)
    monkeypatch.setenv("TTY_COMPATIBLE", terminal)
    with logged("annotate", "json"), shown(lambda: ProgressLine(text="5/9 rows", figures={"rows": 5})):
        notice("meanwhile")
        time.sleep(0.4)
    said = [each for each in records(capsys.readouterr().err) if each.get("event") == "progress"]
    assert said[0]["message"] == "5/9 rows"
    assert "unchanged_seconds" not in said[0]
    assert len(said) > 1
    assert all(each["message"] == "5/9 rows (for 0:00)" and each["unchanged_seconds"] == 0 for each in said[1:])
    assert {each["rows"] for each in said} == {5}
