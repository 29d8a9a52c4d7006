"""How fast a run goes between two lines of its log."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class ThroughputMeter:
    """Steps, windows and tokens since it was made, over all workers; padding does not count, nor do pauses."""

    steps: int = 0
    windows: int = 0
    tokens: int = 0
    started: float = field(default_factory=time.perf_counter)

    def count(self, *, windows: int, tokens: int) -> None:
        """Count a step."""
        self.steps += 1
        self.windows += windows
        self.tokens += tokens

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave out the time that the block takes."""
        began = time.perf_counter()
        yield
        self.started += time.perf_counter() - began

    def rates(self) -> dict[str, float]:
        """The figures, as the log has them."""
        seconds = max(1e-9, time.perf_counter() - self.started)
        return {
            "windows_per_second": self.windows / seconds,
            "tokens_per_second": self.tokens / seconds,
            "step_seconds": seconds / max(1, self.steps),
        }
