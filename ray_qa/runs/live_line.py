"""Showing how a command goes: one live line on a terminal, a log line every ten seconds elsewhere."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

LOG_SECONDS, STILL_SECONDS = 10.0, 60.0


@contextmanager
def shown(line: Callable[[], str]) -> Iterator[None]:
    """Show on standard error, while the block runs, what ``line`` gives from time to time."""
    with _standard_error() as stream:
        console = Console(file=stream)
        if console.is_terminal:
            with Live(get_renderable=lambda: Text(line()), console=console, refresh_per_second=2):
                yield
            return
        with meanwhile(lambda ended: _log(line, stream, ended)):
            yield


def tell(command: str, *lines: str) -> None:
    """Say something on standard error that stays there, above the live line."""
    for line in lines:
        print(f"ray-qa {command}: {line}", file=sys.stderr, flush=True)


@contextmanager
def meanwhile(work: Callable[[threading.Event], None]) -> Iterator[None]:
    """Do ``work`` in a thread while the block runs; when the event it is given is set, it is to come to its end."""
    ended = threading.Event()
    thread = threading.Thread(target=work, args=(ended,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def duration(seconds: float) -> str:
    """Seconds as m:ss or h:mm:ss."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def counted(count: int, noun: str) -> str:
    """A number and its noun, in the plural but for 1."""
    return f"{count:,} {noun}{'s' if count != 1 else ''}"


@contextmanager
def _standard_error() -> Iterator[TextIO]:
    """Standard error, where it can be through a descriptor of its own: the other one is silent while Ray starts."""
    try:
        descriptor = os.dup(sys.stderr.fileno())
    except OSError:  # it is no file
        yield sys.stderr
        return
    with os.fdopen(descriptor, "w", encoding=sys.stderr.encoding, errors="backslashreplace") as stream:
        yield stream


def _log(line: Callable[[], str], stream: TextIO, ended: threading.Event) -> None:
    last, since, told = "", time.monotonic(), 0.0
    while not ended.wait(LOG_SECONDS):
        now, seconds = line(), time.monotonic() - since
        if now != last:
            since, told = time.monotonic(), 0.0
            print(f"{time.strftime('%H:%M:%S')} {now}", file=stream, flush=True)
        elif now and seconds - told >= STILL_SECONDS:  # slow is to be told from hung
            told = seconds
            print(f"{time.strftime('%H:%M:%S')} {now} (for {duration(seconds)})", file=stream, flush=True)
        last = now
