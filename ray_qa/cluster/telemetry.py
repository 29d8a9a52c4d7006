"""What replicas tell Ray's metrics endpoint of their work, for Prometheus and the dashboard in ``deploy/grafana.json``.

Ray puts ``ray_`` before the names, and adds to each where it comes from: node, worker and job.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ray.util.metrics import Counter, Histogram

SECONDS = [0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0]
MARGINS = [0.5, 1.0, 2.0, 4.0, 8.0, 16.0]
"""Ray's histograms begin above 0: margins below that are in the first bucket too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitWork:
    """What a replica did for a unit."""

    rows: Mapping[str, int]
    """By status."""
    windows: int
    tokens: int
    """Of the windows, without padding."""
    padding: int
    seconds: Mapping[str, float]
    """By stage."""
    margins: Sequence[float]
    """Of the rows that were scored: the best span's score less the null's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Telemetry:
    """The metrics of one replica's process."""

    rows: Counter
    windows: Counter
    tokens: Counter
    seconds: Histogram
    margin: Histogram

    @classmethod
    def open(cls) -> Telemetry | None:
        """Metrics of this process; ``None`` where it is none of Ray's."""
        import ray
        from ray.util.metrics import Counter, Histogram

        if not ray.is_initialized():
            return None
        return cls(
            rows=Counter("qa_rows", description="Rows, by what became of them", tag_keys=("status",)),
            windows=Counter("qa_windows", description="Windows scored"),
            tokens=Counter("qa_tokens", description="Tokens computed, of text or of padding", tag_keys=("kind",)),
            seconds=Histogram(
                "qa_unit_seconds", description="Seconds of a unit, by stage", boundaries=SECONDS, tag_keys=("stage",)
            ),
            margin=Histogram(
                "qa_margin", description="Score of a row's best span less that of the null", boundaries=MARGINS
            ),
        )

    def tell(self, work: UnitWork) -> None:
        """Count a unit."""
        for status, rows in work.rows.items():
            if rows:
                self.rows.inc(rows, {"status": status})
        for kind, tokens in (("text", work.tokens), ("padding", work.padding)):
            if tokens:
                self.tokens.inc(tokens, {"kind": kind})
        if work.windows:
            self.windows.inc(work.windows)
        for stage, seconds in work.seconds.items():
            self.seconds.observe(seconds, {"stage": stage})
        for margin in work.margins:
            self.margin.observe(margin)
