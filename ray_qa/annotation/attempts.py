"""Marks of the units at work, by which one that kills its workers is told from others, and the row in it that does.

.ray_qa/attempts/UNIT.NONCE              a worker has begun the unit
.ray_qa/attempts/UNIT.FIRST-STOP.NONCE   one has begun these rows of it, as the unit has killed workers before
"""

from __future__ import annotations

import itertools
import re
import shutil
import uuid
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ray_qa.runs.output_folder import OURS
from ray_qa.storage import places
from ray_qa.storage.remote import Place

ATTEMPTS = f"{OURS}/attempts"
MOST_ATTEMPTS = 3
"""A unit that has killed so many workers is taken apart, to find the rows that do."""
SPANS = 8
"""Into so many spans rows that have killed a worker are split."""
READERS = 32
_SPAN = re.compile(r"\d+\.(\d+)-(\d+)\.[0-9a-f]+")


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Rows of a unit, from ``first`` up to ``stop``."""

    first: int
    stop: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What a worker left that began a unit, or a span of its rows."""

    place: Place
    node: str
    span: Span | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """What workers before it have left of a unit, and the mark of the one that asks."""

    earlier: tuple[Mark, ...]
    mine: Place

    @property
    def nodes(self) -> tuple[str, ...]:
        """Where those before it ran."""
        return tuple(mark.node for mark in self.earlier if mark.span is None)


def begin_unit(folder: Place, unit: int, node: str) -> Attempts:
    """Mark that a worker begins a unit."""
    marks = folder / ATTEMPTS
    names = [name for name in places.names_in(marks) if name.startswith(f"{unit:07d}.")]
    with ThreadPoolExecutor(READERS) as threads:
        earlier = tuple(threads.map(_mark, [marks / name for name in names]))
    return Attempts(earlier=earlier, mine=_publish(marks / f"{unit:07d}", node))


def begin_span(folder: Place, unit: int, span: Span, node: str) -> Place:
    """Mark that a worker begins these rows of a unit; the mark goes by :func:`ray_qa.storage.places.delete`."""
    return _publish(folder / ATTEMPTS / f"{unit:07d}.{span.first:07d}-{span.stop:07d}", node)


def end_unit(attempts: Attempts) -> None:
    """Take the marks of a unit away: its part is there."""
    places.delete([*(mark.place for mark in attempts.earlier), attempts.mine])


def forget_attempts(folder: Place) -> None:
    """Take all marks away, as a run begins: those of a driver that was killed say nothing about the units."""
    marks = folder / ATTEMPTS
    if isinstance(marks, Path):
        shutil.rmtree(marks, ignore_errors=True)
    else:
        places.delete([marks / name for name in places.names_in(marks)])


def has_killed_too_many(attempts: Attempts, alive: Collection[str]) -> bool:
    """Whether earlier workers died of a unit; those whose node is not ``alive`` may have died with it."""
    return sum(node in alive for node in attempts.nodes) >= MOST_ATTEMPTS


def spans_to_try(rows: int, attempts: Attempts, alive: Collection[str]) -> list[Span]:
    """The rows of a unit that has killed too many workers, in spans, without those that are known to kill.

    A span that has killed another worker is split, down to single rows.
    """
    killers = {mark.span for mark in attempts.earlier if mark.span is not None and mark.node in alive}
    whole = Span(0, rows)
    return list(_harmless(whole, {whole, *killers}))


def _harmless(span: Span, killers: Collection[Span]) -> Iterator[Span]:
    if span not in killers:
        yield span
    elif span.stop - span.first > 1:
        for part in _split(span):
            yield from _harmless(part, killers)


def _split(span: Span) -> Iterator[Span]:
    rows = span.stop - span.first
    count = min(SPANS, rows)
    bounds = [span.first + rows * nth // count for nth in range(count + 1)]
    return (Span(first, stop) for first, stop in itertools.pairwise(bounds))


def _publish(stem: Place, node: str) -> Place:
    mark = stem.parent / f"{stem.name}.{uuid.uuid4().hex}"
    while True:
        places.make_folder(mark.parent)
        with suppress(FileNotFoundError):  # another driver of the same run has just cleared the marks away
            places.publish(mark, node.encode())
            return mark


def _mark(place: Place) -> Mark:
    try:
        node = places.read(place).decode()
    except FileNotFoundError:
        node = ""
    found = _SPAN.fullmatch(place.name)
    return Mark(place=place, node=node, span=Span(int(found[1]), int(found[2])) if found else None)
