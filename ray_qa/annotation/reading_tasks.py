"""Units on their way to the tasks that read them: each row of a block says all that is needed to read one unit.

The plan stays with the driver: what a task is given does not grow with the corpus.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
from pydantic import TypeAdapter

from ray_qa.data.row_groups import Source
from ray_qa.data.units import Unit, reading_blocks


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """A unit whose pieces number these files."""

    unit: Unit
    sources: tuple[Source, ...]


_JSON: TypeAdapter[_Task] = TypeAdapter(_Task)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToRead:
    """The units of a task, and the files that their pieces number."""

    units: tuple[Unit, ...]
    sources: tuple[Source, ...]


def blocks_to_read(units: Sequence[Unit], sources: Sequence[Source]) -> list[pa.Table]:
    """Share units out among reading tasks, a block of one column for each."""
    return [
        pa.table({"task": pa.array([_written(units[position], sources) for position in block], pa.binary())})
        for block in reading_blocks(units)
    ]


def units_to_read(block: pa.Table) -> ToRead:
    """What a block of :func:`blocks_to_read`, or some of its rows, says."""
    units: list[Unit] = []
    numbers: dict[Source, int] = {}
    for value in block["task"].to_pylist():
        task = _JSON.validate_json(value)
        own = [numbers.setdefault(source, len(numbers)) for source in task.sources]
        units.append(_renumbered(task.unit, own))
    return ToRead(units=tuple(units), sources=tuple(numbers))


def _written(unit: Unit, sources: Sequence[Source]) -> bytes:
    files = list(dict.fromkeys(piece.file for piece in unit.pieces))
    numbers = {file: number for number, file in enumerate(files)}
    return _JSON.dump_json(_Task(unit=_renumbered(unit, numbers), sources=tuple(sources[file] for file in files)))


def _renumbered(unit: Unit, numbers: Sequence[int] | dict[int, int]) -> Unit:
    return replace(unit, pieces=tuple(replace(piece, file=numbers[piece.file]) for piece in unit.pieces))
