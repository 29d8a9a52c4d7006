"""What a process and all that it has started take: CPU seconds and memory, looked at from outside while they work."""

from __future__ import annotations

import os
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

SECONDS_BETWEEN = 0.25
TICKS = os.sysconf("SC_CLK_TCK")
PROC = Path("/proc")
Kind = Literal["driver", "replicas", "reading", "Ray"]
KINDS: tuple[Kind, ...] = ("driver", "replicas", "reading", "Ray")
"""``reading`` are the processes of tasks that read, ``Ray`` all that do nothing of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What there was at a moment, in seconds since the epoch."""

    moment: float
    cpu_seconds: dict[int, float]
    """All that was spent until then, by process; by those that have ended too."""
    driver_mib: float
    """Memory of the driver's own: neither files nor Ray's object store."""


@dataclass(slots=True, kw_only=True)
class Footprint:
    """Samples of a driver and its Ray, oldest first."""

    driver: int
    samples: list[Sample] = field(default_factory=list)
    kinds: dict[int, Kind] = field(default_factory=dict)
    """Of processes, as far as they have shown it; all others are Ray's."""
    _spent: dict[int, float] = field(default_factory=dict)

    def look(self) -> None:
        """Take a sample; a driver that has ended has none."""
        for process in _family(self.driver):
            try:
                self._spent[process] = _cpu_seconds(process)
                self._note_kind(process)
            except OSError:  # it has just ended
                continue
        try:
            memory = own_mib(self.driver)
        except OSError:
            return
        self.samples.append(Sample(moment=time.time(), cpu_seconds=dict(self._spent), driver_mib=memory))

    def cpu_between(self, first: float, last: float) -> dict[Kind, float]:
        """CPU seconds that were spent between two moments, by kind of process."""
        moments = [sample.moment for sample in self.samples]
        between = dict.fromkeys(KINDS, 0.0)
        for process in self.samples[-1].cpu_seconds:
            spent = [sample.cpu_seconds.get(process, 0.0) for sample in self.samples]
            between[self.kinds.get(process, "Ray")] += float(np.subtract(*np.interp([last, first], moments, spent)))
        return between

    def driver_mib(self, first: float, last: float) -> Sequence[float]:
        """The driver's memory at all looks between two moments."""
        return [sample.driver_mib for sample in self.samples if first <= sample.moment <= last]

    def _note_kind(self, process: int) -> None:
        """A worker's title says what it runs just now; idle ones keep the kind they had."""
        if process == self.driver:
            self.kinds[process] = "driver"
            return
        title = (PROC / str(process) / "cmdline").read_bytes().replace(b"\0", b" ")
        if b"SleepingReplica" in title:
            self.kinds[process] = "replicas"
        elif b"encode_units" in title:
            self.kinds[process] = "reading"


@contextmanager
def watched(driver: int) -> Iterator[Footprint]:
    """Look at a process and its descendants, again and again while the block runs."""
    footprint, ended = Footprint(driver=driver), threading.Event()

    def look_on() -> None:
        while not ended.wait(SECONDS_BETWEEN):
            footprint.look()

    thread = threading.Thread(target=look_on, daemon=True)
    thread.start()
    try:
        yield footprint
    finally:
        ended.set()
        thread.join()


def own_mib(process: int | Literal["self"]) -> float:
    """Memory of a process's own, in MiB: what neither files nor shared memory hold."""
    lines = (PROC / str(process) / "status").read_text().splitlines()
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon:")), 0.0)


def _family(first: int) -> list[int]:
    """A process and its descendants."""
    children: defaultdict[int, list[int]] = defaultdict(list)
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            try:
                children[int(_stat(int(entry.name))[1])].append(int(entry.name))
            except OSError:  # it has just ended
                continue
    family = [first]
    for process in family:
        family.extend(children[process])
    return family


def _cpu_seconds(process: int) -> float:
    user, system = _stat(process)[11:13]
    return (int(user) + int(system)) / TICKS


def _stat(process: int) -> list[str]:
    """The fields of a process's ``stat`` from its state on; what stands before may hold blanks."""
    return (PROC / str(process) / "stat").read_text().rpartition(")")[2].split()
