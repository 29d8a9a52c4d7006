"""How a process that is timed talks to ``benchmarks.compare``: a JSON line in, one pass over the rows, a JSON line out.

Only Python's own library, as interpreters of other projects load it. A line that comes in has ``way`` (which of the
process's ways to go), ``rows`` (the folder of a row set) and ``answers`` (the file to write them to).
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TextIO

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
"""Threads of every contender, or processes of one thread each."""
WARM_UP_ROWS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """A row set as it lies in its folder, beside ``rows.parquet``."""

    folder: Path
    questions: list[str]
    contexts: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One pass over all rows; ``answers`` is empty where the way gives none."""

    seconds: float
    answers: list[str]
    start_seconds: float = 0.0
    """Start-up before the pass, which does not count."""


Answering = Callable[[Rows], list[str]]
Way = Callable[[Rows], Pass]


def serve(ways: Mapping[str, Way], packages: Sequence[str]) -> None:
    """Say which packages are loaded, then go the ways that are asked for, until there is nothing more to read."""
    replies = _take_stdout()
    _say(replies, {"versions": {"python": platform.python_version()} | {name: version(name) for name in packages}})
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            done = ways[asked["way"]](read_rows(Path(asked["rows"])))
            Path(asked["answers"]).write_text(json.dumps(done.answers), encoding="utf-8")
            _say(replies, {"seconds": done.seconds, "start_seconds": done.start_seconds})
        except Exception as error:  # whatever it is, the others' figures must not be lost
            _say(replies, {"error": f"{type(error).__name__}: {str(error).strip() or 'no message'}".splitlines()[0]})


def timed(answering: Answering) -> Way:
    """The way that is timed from its call to its return."""

    def way(rows: Rows) -> Pass:
        started = time.perf_counter()
        answers = answering(rows)
        return Pass(seconds=time.perf_counter() - started, answers=answers)

    return way


def read_rows(folder: Path) -> Rows:
    """The rows of a row set."""
    columns = json.loads((folder / "rows.json").read_text(encoding="utf-8"))
    return Rows(folder=folder, questions=columns["question"], contexts=columns["context"])


def warm_up(answering: Answering, folder: Path) -> None:
    """Answer a few rows, so that nothing is loaded or compiled while it is timed."""
    rows = read_rows(folder)
    answering(Rows(folder=folder, questions=rows.questions[:WARM_UP_ROWS], contexts=rows.contexts[:WARM_UP_ROWS]))


def _take_stdout() -> TextIO:
    """Standard output for our lines alone: what libraries print goes where errors go."""
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return replies


def _say(replies: TextIO, reply: Mapping[str, object]) -> None:
    print(json.dumps(reply), file=replies, flush=True)
