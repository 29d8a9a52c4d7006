"""Showing how a command goes: one live line on a terminal, a log line every ten seconds elsewhere."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TextIO

from rich.console import Console
from rich.live import Live
from rich.text import Text

from ray_qa.runs.log import log_progress, wants_json, wants_progress, written_to

LOG_SECONDS, STILL_SECONDS = 10.0, 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgressLine:
    """How far a command is: in words, and as figures by name."""

    text: str
    figures: Mapping[str, Any]


@contextmanager
def shown(line: Callable[[], ProgressLine], *, stays: bool = True) -> Iterator[None]:
    """Show on standard error, while the block runs, what ``line`` gives from time to time.

    Args:
        line: called in another thread; nothing is shown while its text is empty.
        stays: whether a terminal goes on to show the last line after the block.
    """
    if not wants_progress():
        yield
        return
    with _standard_error() as stream:
        console = Console(file=stream)
        if console.is_terminal and not wants_json():
            live = Live(
                get_renderable=lambda: Text(line().text), console=console, refresh_per_second=2, transient=not stays
            )
            with live:
                yield
            return
        with written_to(stream), meanwhile(lambda ended: _log(line, ended)):
            yield


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


def _log(line: Callable[[], ProgressLine], ended: threading.Event) -> None:
    last, since, told = "", time.monotonic(), 0.0
    while not ended.wait(LOG_SECONDS):
        now, seconds = line(), time.monotonic() - since
        if now.text != last:
            since, told = time.monotonic(), 0.0
            log_progress(now.text, now.figures)
        elif now.text and seconds - told >= STILL_SECONDS:  # slow is to be told from hung
            told = seconds
            log_progress(f"{now.text} (for {duration(seconds)})", {**now.figures, "unchanged_seconds": round(seconds)})
        last = now.text
