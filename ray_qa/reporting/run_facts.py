"""What ran, on what, how fast and over time: from the plan, ``run.json`` and the timelines of an output."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ray_qa.records import Question
from ray_qa.runs.annotated_rows import Source
from ray_qa.runs.cards import shown_name
from ray_qa.runs.data_card import NOT_GIVEN, in_words
from ray_qa.runs.output_folder import RUN
from ray_qa.runs.stretches import Stretch, timelines_kept
from ray_qa.storage import places

MOST_NODES = 12
"""That have a line of their own."""
PAUSE = 6
"""A gap of so many stretches is one between commands: within one of them a slow unit may leave smaller ones."""
SHORTEST = 1.0
"""Seconds of a stretch that ended early; of less a speed says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A stretch of a run, on all nodes; seconds count from its first one, without pauses between commands."""

    began: float
    seconds: float
    rows: int
    after_pause: bool
    """Whether no command was at work for a while before it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What a node did."""

    name: str
    rows: int
    failed: int
    replicas: int
    """The most at once."""
    seconds: float
    """In which it published anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What a person wants to know of a run."""

    output: str
    model: str
    weights: str
    engine: str | None
    inputs: tuple[str, ...]
    rescored_from: str | None
    """The output whose rows these are, if they were rescored."""
    questions: tuple[Question, ...]
    """Of the set that every context was asked."""
    part: str | None
    """Which rows of the corpus these are, in words, if not all."""
    unfinished: str | None
    finished: str | None
    """When, in words."""
    units: int
    rows_per_second: float | None
    """Of the last command, as are the next three."""
    scored_rows: int
    run_seconds: float
    start_seconds: float
    steps: Mapping[str, float]
    """Seconds of all workers by what they were spent on, where that was measured."""
    moments: tuple[Moment, ...]
    nodes: tuple[Node, ...]
    settings: Mapping[str, str]
    versions: Mapping[str, str]
    flips_at: float | None
    """The margin from which on a row is answered; none where every row is."""


def run_facts(source: Source) -> RunFacts:
    """Read what is written down beside the parts; of an output that is not finished there is less.

    Raises:
        StorageError: if its bucket cannot be reached.
    """
    output, record = source.output, _record(source)
    settings = output.settings
    kept = timelines_kept(output.folder) or [Stretch(**each) for each in record.get("timeline") or []]
    stretches = _as_long_as_they_lasted(kept, record.get("finished"))
    engine = record.get("engine") or {}
    return RunFacts(
        output=shown_name(str(output.folder)),
        model="ray_qa’s embedded model" if source.model == "embedded" else shown_name(source.model),
        weights=output.weights_sha256,
        engine=engine.get("arithmetic"),
        inputs=tuple(shown_name(path) for path in output.inputs),
        rescored_from=None if output.rescored_from is None else shown_name(output.rescored_from),
        questions=output.questions,
        part=record.get("part"),
        unfinished=output.unfinished,
        finished=_as_date(record.get("finished")),
        units=output.units,
        rows_per_second=record.get("rows_per_second"),
        scored_rows=record.get("scored_rows") or 0,
        run_seconds=record.get("run_seconds") or 0.0,
        start_seconds=record.get("start_seconds") or 0.0,
        steps=(record.get("profile") or {}).get("steps") or {},
        moments=_moments(stretches),
        nodes=_nodes(stretches),
        settings={name: in_words(value) for name, value in settings.items() if value not in NOT_GIVEN},
        versions={name: str(value) for name, value in (record.get("versions") or {}).items()},
        flips_at=_flips_at(settings),
    )


def in_bars(moments: Sequence[Moment], most: int) -> tuple[Moment, ...]:
    """The same run in at most about so many stretches, none of them over a pause: a stretch that is shorter than a unit
    takes would show when parts appear, and not how fast rows were read."""
    if not moments:
        return ()
    width = max(moments[0].seconds, (moments[-1].began + moments[-1].seconds) / max(1, most))
    bars: list[list[Moment]] = []
    for each in moments:
        is_next = bool(bars) and each.began >= bars[-1][0].began + width
        is_short = each is moments[-1] and each.seconds < width / 4  # its speed would say little
        if not bars or each.after_pause or (is_next and not is_short):
            bars.append([])
        bars[-1].append(each)
    nexts = [bar[0] for bar in bars[1:]]
    ends = [bar[-1].began + bar[-1].seconds for bar in bars]
    until = [end if after.after_pause else after.began for end, after in zip(ends, nexts, strict=False)] + ends[-1:]
    return tuple(
        Moment(
            began=bar[0].began,
            seconds=end - bar[0].began,
            rows=sum(each.rows for each in bar),
            after_pause=bar[0].after_pause,
        )
        for bar, end in zip(bars, until, strict=True)
    )


def _record(source: Source) -> Mapping[str, Any]:
    """What ``run.json`` has; nothing where no command has come to its end."""
    try:
        record = json.loads(places.read(source.output.folder / RUN))
    except (FileNotFoundError, ValueError):
        return {}
    return record if isinstance(record, dict) and not source.output.unfinished else {}


def _flips_at(settings: Mapping[str, Any]) -> float | None:
    threshold = settings.get("null_threshold")
    return None if settings.get("always_answer") else 0.0 - (threshold if isinstance(threshold, int | float) else 0.0)


def _as_date(moment: str | None) -> str | None:
    return None if moment is None else datetime.fromisoformat(moment).strftime("%-d %B %Y, %H:%M %Z")


def _as_long_as_they_lasted(stretches: Sequence[Stretch], finished: str | None) -> list[Stretch]:
    """The stretches, of which the last one may have ended early, when all was done."""
    if finished is None:
        return list(stretches)
    end = datetime.fromisoformat(finished).timestamp()
    lasted = [end - datetime.fromisoformat(each.began).timestamp() for each in stretches]
    return [
        replace(each, seconds=max(SHORTEST, seconds)) if 0 < seconds < each.seconds else each
        for each, seconds in zip(stretches, lasted, strict=True)
    ]


def _moments(stretches: Sequence[Stretch]) -> tuple[Moment, ...]:
    """The stretches of all nodes together, with pauses left out."""
    rows: dict[float, int] = defaultdict(int)
    lasted: dict[float, float] = {}
    for each in stretches:
        began = datetime.fromisoformat(each.began).timestamp()
        rows[began] += each.rows
        lasted[began] = max(each.seconds, lasted.get(began, 0.0))
    moments: list[Moment] = []
    first = ended = min(rows, default=0.0)
    left_out = before = 0.0
    for began in sorted(rows):
        is_pause = began - ended > PAUSE * max(lasted[began], before)  # the last one of a command may be short
        left_out += began - ended if is_pause else 0.0
        at = began - first - left_out
        moments.append(Moment(began=at, seconds=lasted[began], rows=rows[began], after_pause=is_pause))
        ended, before = max(ended, began + lasted[began]), lasted[began]
    return tuple(moments)


def _nodes(stretches: Sequence[Stretch]) -> tuple[Node, ...]:
    """By rows, the most first; those beyond so many are put together."""
    by_name: dict[str, list[Stretch]] = defaultdict(list)
    for each in stretches:
        by_name[each.node].append(each)
    names = sorted(by_name, key=lambda name: -sum(each.rows for each in by_name[name]))
    others = [each for name in names[MOST_NODES:] for each in by_name[name]]
    own = [_node(name, by_name[name]) for name in names[:MOST_NODES]]
    return tuple(own + ([_node(f"{len(names) - MOST_NODES:,} more", others)] if others else []))


def _node(name: str, stretches: Sequence[Stretch]) -> Node:
    return Node(
        name=name,
        rows=sum(each.rows for each in stretches),
        failed=sum(each.failed for each in stretches),
        replicas=max(each.replicas for each in stretches),
        seconds=sum(each.seconds for each in stretches),
    )
