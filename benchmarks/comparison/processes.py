"""The processes that are timed: started once, idle until one of them is asked for a pass."""

from __future__ import annotations

import json
import os
import select
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.comparison.contenders import Script, interpreter
from benchmarks.comparison.rows import RowSet

REPOSITORY = Path(__file__).parents[2]
PASS_PATIENCE = 1_800.0
END_PATIENCE = 30.0
"""Seconds that a process has for a pass, and to end in."""


class ScriptError(Exception):
    """A process that is timed has failed; the message says at what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What all processes are started with, and the folder for their logs and answers."""

    model: str
    warm_up: Path
    environments: Path
    scratch: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A process that waits to be asked; ``versions`` are of the packages it has loaded."""

    process: subprocess.Popen[str]
    log: Path
    versions: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """One pass of one way over a row set."""

    seconds: float
    start_seconds: float
    answers: tuple[str, ...]


@dataclass(slots=True)
class Processes:
    """The processes that were started so far, by their scripts."""

    settings: Settings
    running: dict[Script, Running] = field(default_factory=dict)

    def ask(self, script: Script, way: str, rows: RowSet) -> Timed:
        """Have a process go over a row set; it is started where it does not run yet.

        Raises:
            ScriptError: if it cannot be started, or fails.
        """
        if script not in self.running:
            self.running[script] = _start(script, self.settings)
        running = self.running[script]
        answers = self.settings.scratch / "answers.json"
        asked = {"way": way, "rows": str(rows.folder), "answers": str(answers)}
        reply = _exchange(running.process, running.log, json.dumps(asked))
        if "error" in reply:
            raise ScriptError(reply["error"])
        texts = tuple(json.loads(answers.read_text(encoding="utf-8")))
        if texts and len(texts) != len(rows.pairs):
            raise ScriptError(f"{len(texts)} answers for {len(rows.pairs)} rows")
        return Timed(seconds=reply["seconds"], start_seconds=reply["start_seconds"], answers=texts)


@contextmanager
def started_processes(settings: Settings) -> Iterator[Processes]:
    """Processes that all end with the block."""
    processes = Processes(settings=settings)
    try:
        yield processes
    finally:
        for running in processes.running.values():
            _stop(running.process)


def _start(script: Script, settings: Settings) -> Running:
    log = settings.scratch / f"{script.module}-{script.backend}-{script.dtype}.log"
    command = [
        *(str(interpreter(script, settings.environments)), "-m", f"benchmarks.peers.{script.module}"),
        *("--model", settings.model, "--warm-up", str(settings.warm_up)),
        *(("--backend", script.backend, "--dtype", script.dtype) if script.backend else ()),
    ]
    with log.open("w", encoding="utf-8") as errors:
        process = subprocess.Popen(
            command,
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            encoding="utf-8",
            env=_environment(),
        )
    return Running(process=process, log=log, versions=_exchange(process, log, None)["versions"])


def _environment() -> dict[str, str]:
    """Ours, without what would reach for the network, or report there."""
    return {
        **os.environ,
        "PYTHONPATH": str(REPOSITORY),
        "HF_HUB_OFFLINE": "1",
        "HAYSTACK_TELEMETRY_ENABLED": "False",
        "RAY_USAGE_STATS_ENABLED": "0",
    }


def _exchange(process: subprocess.Popen[str], log: Path, line: str | None) -> Any:
    """Say a line, where there is one, and hear the reply."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        if line is not None:
            print(line, file=process.stdin, flush=True)
        if not select.select([process.stdout], [], [], PASS_PATIENCE)[0]:
            process.kill()
        reply = process.stdout.readline()
    except BrokenPipeError:
        reply = ""
    if not reply:
        last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:] or ["without a word"]
        raise ScriptError(f"ended with {process.wait()}: {last[0]}")
    return json.loads(reply)


def _stop(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    try:
        process.stdin.close()
        process.wait(END_PATIENCE)
    except (BrokenPipeError, subprocess.TimeoutExpired):
        process.kill()
        process.wait()
