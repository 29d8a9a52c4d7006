"""Passes in turn: who runs when, how often, and what is kept of it."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.comparison.contenders import Contender
from benchmarks.comparison.processes import Processes, ScriptError, Timed
from benchmarks.comparison.rows import RowSet

NEAR_THE_BEST = 0.85
"""Pipelines that reach this share of the fastest one's figure may yet be the best, and are timed again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowSets:
    """The rows; ``few_long`` are the first of ``long``, for those who are as fast on few rows as on many."""

    short: RowSet
    long: RowSet
    few_long: RowSet

    def long_for(self, contender: Contender) -> RowSet:
        """Annotate needs many: its steady state has an end, at which not all of its replicas have work."""
        return self.long if contender.kind == "annotate" else self.few_long


@dataclass(slots=True)
class Passes:
    """All passes of one contender over one row set."""

    rows: int
    timed: list[Timed] = field(default_factory=list)

    @property
    def rows_per_second(self) -> float:
        """The median; 0 before the first."""
        return self.rows / statistics.median(each.seconds for each in self.timed) if self.timed else 0.0

    @property
    def answers(self) -> tuple[str, ...]:
        """Those of the first pass."""
        return self.timed[0].answers if self.timed else ()


@dataclass(slots=True)
class Record:
    """What was measured of one contender; ``failed`` says why there is nothing, or no more."""

    contender: Contender
    short: Passes
    long: Passes
    failed: str | None = None


def measure(
    records: Sequence[Record], sets: RowSets, processes: Processes, *, repeats: int, long_repeats: int
) -> Iterator[str]:
    """Fill in the records; says each pass as it is done, for those who watch.

    Once each over the short rows, then once each over the long ones, and so on. Pipelines that are clearly not the
    best are timed once over each, and so are the peers beside it, as no aim is against them.
    """
    for repeat in range(max(repeats, long_repeats)):
        if repeat < repeats:
            for record in [each for each in records if _goes_on(each, records, repeat)]:
                yield _pass(record, record.short, sets.short, processes)
        if repeat < long_repeats:
            for record in [each for each in records if _goes_on(each, records, repeat)]:
                yield _pass(record, record.long, sets.long_for(record.contender), processes)


def _goes_on(record: Record, records: Sequence[Record], repeat: int) -> bool:
    if record.failed is not None:
        return False
    if repeat == 0 or record.contender.kind in ("annotate", "reader", "engine"):
        return True
    best = best_pipeline(records)
    return record.contender.kind == "pipeline" and record.short.rows_per_second >= NEAR_THE_BEST * best


def best_pipeline(records: Sequence[Record]) -> float:
    """Rows per second of the fastest pipeline over the short rows; 0 where none has run."""
    return max((each.short.rows_per_second for each in records if each.contender.kind == "pipeline"), default=0.0)


def best_long_pipeline(records: Sequence[Record]) -> float:
    """The same over the long rows."""
    return max((each.long.rows_per_second for each in records if each.contender.kind == "pipeline"), default=0.0)


def _pass(record: Record, passes: Passes, rows: RowSet, processes: Processes) -> str:
    contender = record.contender
    try:
        passes.timed.append(processes.ask(contender.script, contender.way, rows))
    except ScriptError as error:
        record.failed = str(error)
        return f"{contender.method} ({contender.arithmetic}), {rows.name}: {error}"
    last = passes.timed[-1].seconds
    return f"{contender.method} ({contender.arithmetic}), {rows.name}: {last:.1f} s, {passes.rows / last:.2f} rows/s"


def new_records(contenders: Mapping[Contender, str | None], sets: RowSets) -> list[Record]:
    """Empty records; those who are not here have failed before they began."""
    return [
        Record(
            contender=contender,
            short=Passes(rows=len(sets.short.pairs)),
            long=Passes(rows=len(sets.long_for(contender).pairs)),
            failed=None if reason is None else f"not here: {reason}",
        )
        for contender, reason in contenders.items()
    ]
