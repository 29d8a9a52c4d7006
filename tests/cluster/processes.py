"""Processes that a test started: finding them by their place in the tree, ending them, reading what they said."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import ray  # noqa: F401  # brings the psutil along that is imported below

psutil: Any = import_module("psutil")
PATIENCE = 300.0
"""Seconds after which something that should happen is taken never to happen."""
_PROGRESS = re.compile(
    r"\d\d:\d\d:\d\d "
    r"(starting|reading|seeing|looking|loading|encoding|calibrating|converting|waiting for (room|a GPU)"
    r"|step [\d,]+/[\d,]+(,| · loss )|[\d,]+/[\d,]+ rows)"
)
_ENGINE = re.compile(r"ray-qa annotate: (OpenVINO|torch) in \w+ on \w+( \(.*\))?$")


def below(pid: int) -> list[Any]:
    """All living descendants of a process."""
    found: list[Any] = psutil.Process(pid).children(recursive=True)
    return found


def replicas_below(pid: int) -> set[int]:
    """The processes of the model actors that a driver started."""
    return {process.pid for process in below(pid) if "MapBatches(Annotator)" in _title(process)}


def training_workers_below(pid: int) -> set[int]:
    """The training workers that a driver started."""
    return {process.pid for process in below(pid) if "RayTrainWorker" in _title(process)}


@contextmanager
def one_killed(victims: Callable[[], set[int]], ready: Callable[[], bool], what: str) -> Iterator[list[int]]:
    """Kill the last of ``victims`` as soon as ``ready``, while the block runs; gives all that there were then."""
    found: list[int] = []
    ended = threading.Event()

    def kill() -> None:
        wait_until(lambda: ended.is_set() or ready(), what)
        if not ended.is_set():
            found.extend(sorted(victims()))
            os.kill(found[-1], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield found
    finally:
        ended.set()
        killer.join()


def kill_group(process: subprocess.Popen[bytes]) -> list[Any]:
    """Kill the group of a process that leads a session; gives what it had started, which is to end by itself."""
    os.killpg(process.pid, signal.SIGSTOP)  # at once, as listing what it started takes time on a busy machine
    started = below(process.pid)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(PATIENCE)
    return started


@contextmanager
def driver(
    command: str, flags: list[str], errors: Path, *, program: Sequence[str] = ("-m", "ray_qa")
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a command in a session of its own, with a private cluster; kill all of it if it runs in the end."""
    with errors.open("ab") as stderr:
        process = subprocess.Popen(
            [sys.executable, *program, command, *flags],
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            assert_gone(kill_group(process))


@dataclass(frozen=True, slots=True, kw_only=True)
class OnTerminal:
    """A command that runs in the foreground of a terminal, with its standard error in a file."""

    process: subprocess.Popen[bytes]
    keyboard: int

    def press_ctrl_c(self) -> None:
        """The terminal sends SIGINT to all that runs in its foreground."""
        os.write(self.keyboard, b"\x03")

    def shown(self) -> str:
        """What can be seen on the terminal after the command has ended."""
        shown = b""
        with suppress(OSError):  # so Linux tells the end
            while read := os.read(self.keyboard, 2**16):
                shown += read
        return re.sub(r"\x1b\[[\d;]*m", "", shown.decode())  # colours


@contextmanager
def on_terminal(command: str, flags: list[str], errors: Path) -> Iterator[OnTerminal]:
    """Start a command as one types it on a terminal; kill all of it if it runs in the end."""
    keyboard, terminal = pty.openpty()

    def take_terminal() -> None:
        fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)

    with errors.open("ab") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "ray_qa", command, *flags],
            start_new_session=True,
            preexec_fn=take_terminal,
            stdin=terminal,
            stdout=terminal,
            stderr=stderr,
        )
    os.close(terminal)
    try:
        yield OnTerminal(process=process, keyboard=keyboard)
    finally:
        if process.poll() is None:
            assert_gone(kill_group(process))
        os.close(keyboard)


def assert_ctrl_c_ends(command: OnTerminal, presses: int = 1) -> None:
    """Press Ctrl-C as often; the command ends, and all it started, and nothing is to be seen but the keys."""
    started = below(command.process.pid)
    for press in range(presses):
        time.sleep(0.3 * press)
        command.press_ctrl_c()
    assert command.process.wait(PATIENCE) == 130
    assert command.shown() == "^C" * presses
    assert started
    assert_gone(started)


def assert_gone(processes: list[Any]) -> None:
    """Wait until processes have ended; end those that do not, and fail."""
    _, left = psutil.wait_procs(processes, timeout=PATIENCE)
    for survivor in left:
        survivor.kill()
    assert not left, f"outlived the process that started them: {left}"


def wait_until(
    happened: Callable[[], bool],
    what: str,
    *,
    by: subprocess.Popen[bytes] | None = None,
    said: Path | None = None,
) -> None:
    """Look again and again until something has happened: often, but for no more than a tenth of the time.

    What is to happen ``by`` a process happens before it ends; what it has ``said`` is shown where nothing happens.
    """
    deadline = time.monotonic() + PATIENCE
    while True:
        began = time.monotonic()
        ended = by is not None and by.poll() is not None
        if happened():
            return
        too_late = ended or time.monotonic() > deadline
        assert not too_late, f"never happened: {what}\n{said.read_text() if said else ''}"
        # What is waited for wants the CPUs, which looking at processes, metrics or logs would take away from it.
        time.sleep(max(0.02, 9 * (time.monotonic() - began)))


def lines_but_progress(said: str) -> list[str]:
    """The lines of standard error that tell neither how far a run is nor what it computes with."""
    return [line for line in said.splitlines() if not _PROGRESS.match(line) and not _ENGINE.match(line)]


def _title(process: Any) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
