"""Ctrl-C and SIGTERM at the worst moments, in processes of their own; a stand-in for Ray says that it runs."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from ray_qa.cli.stopping import run_stoppable

RAY_RUNS = "sys.modules['ray'] = types.SimpleNamespace(is_initialized=lambda: True)\n"
BEGIN = "import signal, sys, time, types\nfrom ray_qa.cli.stopping import run_stoppable\n"
END = "\nsys.exit(run_stoppable(work, lambda: 'stopped'))\n"


def test_before_ray_runs_the_process_ends_on_the_spot_where_an_exception_would_be_lost_or_turned_into_another() -> None:
    lost = """
def work():
    try:
        signal.raise_signal(signal.SIGINT)
    except BaseException:
        pass
    print("went on")
    return 0
"""
    turned = """
class Field:
    def __set_name__(self, owner, name):
        signal.raise_signal(signal.SIGTERM)

def work():
    class Owner:
        field = Field()
"""
    assert _ended(BEGIN + lost + END) == (130, "", "stopped\n")
    assert _ended(BEGIN + turned + END) == (143, "", "stopped\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_while_ray_runs_what_was_started_is_ended_first(number: signal.Signals) -> None:
    work = f"""
def work():
    try:
        signal.raise_signal({number:d})
    finally:
        print("ended")
"""
    assert _ended(BEGIN + RAY_RUNS + work + END) == (128 + number, "ended\n", "stopped\n")


def test_a_log_has_the_line_though_the_process_is_killed_before_it_has_ended_all() -> None:
    work = """
def work():
    try:
        signal.raise_signal(signal.SIGTERM)
    finally:
        signal.raise_signal(signal.SIGKILL)
"""
    assert _ended(BEGIN + RAY_RUNS + work + END) == (-signal.SIGKILL, "", "stopped\n")


def test_a_second_signal_ends_the_process_while_it_shuts_down() -> None:
    work = """
def work():
    try:
        signal.raise_signal(signal.SIGINT)
    finally:
        signal.raise_signal(signal.SIGINT)
        print("not shown", flush=True)
"""
    assert _ended(BEGIN + RAY_RUNS + work + END) == (130, "", "stopped\n")


def test_a_second_signal_as_python_ends_is_not_seen() -> None:
    work = """
def work():
    import atexit
    atexit.register(lambda: (signal.raise_signal(signal.SIGINT), print("ended")))
    signal.raise_signal(signal.SIGINT)
"""
    assert _ended(BEGIN + RAY_RUNS + work + END) == (130, "ended\n", "stopped\n")


def test_an_exception_that_a_stop_has_turned_into_is_a_stop_too() -> None:
    work = """
def work():
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt as stop:
        raise RuntimeError("came of it") from stop
"""
    assert _ended(BEGIN + RAY_RUNS + work + END) == (130, "", "stopped\n")


def test_where_no_signal_comes_all_is_as_before() -> None:
    def fail() -> int:
        raise ValueError("its own")

    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert run_stoppable(lambda: 3, lambda: "stopped") == 3
    with pytest.raises(ValueError, match="its own"):
        run_stoppable(fail, lambda: "stopped")
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def _ended(script: str) -> tuple[int, str, str]:
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr
