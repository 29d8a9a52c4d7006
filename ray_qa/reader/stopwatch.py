"""How long the steps of reading take, and on how many tokens: counted where a caller asks, at no cost elsewhere."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar


class Stopwatch:
    """Wall-clock seconds by step, and amounts of what was worked on, by name."""

    def __init__(self, *, timed: bool = True) -> None:
        """Without ``timed`` amounts alone are counted, which costs nothing."""
        self.timed = timed
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._amounts: defaultdict[str, int] = defaultdict(int)

    def add(self, name: str, seconds: float) -> None:
        """Count seconds that were measured elsewhere."""
        self._seconds[name] += seconds

    def count(self, name: str, amount: int) -> None:
        """Add to an amount."""
        self._amounts[name] += amount

    def amount(self, name: str) -> int:
        """What was counted since amounts were last taken; other threads may ask."""
        return self._amounts.get(name, 0)

    def take_amounts(self) -> dict[str, int]:
        """The amounts that were counted since this was last asked for."""
        taken = dict(self._amounts)
        self._amounts.clear()
        return taken

    def take(self) -> dict[str, float]:
        """The seconds that were counted since this was last asked for."""
        taken = dict(self._seconds)
        self._seconds.clear()
        return taken


@contextmanager
def counting_on(stopwatch: Stopwatch | None) -> Iterator[None]:
    """Let :func:`step` count on a stopwatch; on none, let it do nothing."""
    token = _CURRENT.set(stopwatch)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def is_counting() -> bool:
    """Whether anybody asks for seconds."""
    stopwatch = _CURRENT.get()
    return stopwatch is not None and stopwatch.timed


def count(name: str, amount: int) -> None:
    """Add to an amount, where anybody asks."""
    if stopwatch := _CURRENT.get():
        stopwatch.count(name, amount)


def step(name: str) -> AbstractContextManager[None]:
    """Count the time of a block; steps do not nest, as their sum is to be the whole."""
    stopwatch = _CURRENT.get()
    return _counted(stopwatch, name) if stopwatch is not None and stopwatch.timed else nullcontext()


@contextmanager
def _counted(stopwatch: Stopwatch, name: str) -> Iterator[None]:
    began = time.perf_counter()
    try:
        yield
    finally:
        stopwatch.add(name, time.perf_counter() - began)


_CURRENT: ContextVar[Stopwatch | None] = ContextVar("stopwatch", default=None)
