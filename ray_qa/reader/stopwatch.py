"""How long the steps of reading take: counted where a caller asks for it, and at no cost elsewhere."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar


class Stopwatch:
    """Wall-clock seconds by step."""

    def __init__(self) -> None:
        self._seconds: defaultdict[str, float] = defaultdict(float)

    def add(self, name: str, seconds: float) -> None:
        """Count seconds that were measured elsewhere."""
        self._seconds[name] += seconds

    def take(self) -> dict[str, float]:
        """What was counted since this was last asked for."""
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
    """Whether anybody asks."""
    return _CURRENT.get() is not None


def step(name: str) -> AbstractContextManager[None]:
    """Count the time of a block; steps do not nest, as their sum is to be the whole."""
    stopwatch = _CURRENT.get()
    return nullcontext() if stopwatch is None else _counted(stopwatch, name)


@contextmanager
def _counted(stopwatch: Stopwatch, name: str) -> Iterator[None]:
    began = time.perf_counter()
    try:
        yield
    finally:
        stopwatch.add(name, time.perf_counter() - began)


_CURRENT: ContextVar[Stopwatch | None] = ContextVar("stopwatch", default=None)
