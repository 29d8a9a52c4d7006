"""The output folder of prepare: its plan, its parts, and what lets a run resume or refuse.

part-0000000.parquet …     the rows, in the order of the input; each source begins a new part
and what every output has: see ray_qa.runs.output_folder; of sources: see ray_qa.preparation.records
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from ray_qa.data.conversion import remove_others
from ray_qa.data.parts import PART, part_numbers, part_path
from ray_qa.data.row_sources import RowSources
from ray_qa.preparation.config import PrepareConfig
from ray_qa.preparation.records import APART, SET_APART, SourceRecord, apart_numbers, apart_path, read_record
from ray_qa.runs.output_folder import (
    PLAN,
    ROWS,
    check_output_folder,
    clear_output_folder,
    planned_by,
)
from ray_qa.runs.plan_files import (
    check_same_plan,
    different_algorithms,
    different_input,
    different_settings,
    join_plan_file,
    read_plan_file,
)
from ray_qa.settings import deciding_settings
from ray_qa.storage import places
from ray_qa.storage.listing import Entry
from ray_qa.storage.local import SUCCESS
from ray_qa.storage.remote import Place

PROGRAM = "ray-qa prepare"
ALGORITHM = 1
"""Goes up when the same rows come out otherwise than before."""
DRAFT = re.compile(rf"\.({PART.pattern}|{APART.pattern})\.[0-9a-f]{{32}}\.draft")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedSource:
    """A source as it was when the run was planned."""

    name: str
    stamp: str
    """What changes with its content."""
    partitions: tuple[tuple[str, str | None], ...] = ()
    """Columns that the names of its folders state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be prepared, and how."""

    command: str = PROGRAM
    """By which it is told from the plans of other commands."""
    algorithm: int
    settings: dict[str, Any]
    sources: tuple[PlannedSource, ...]


_PLAN_JSON: TypeAdapter[Plan] = TypeAdapter(Plan)


def plan_of(config: PrepareConfig, found: RowSources) -> Plan:
    """What the settings ask for, of what they lead to."""
    return Plan(
        algorithm=ALGORITHM,
        settings=deciding_settings(config),
        sources=tuple(
            PlannedSource(
                name=source.name, stamp=source.stamp, partitions=source.file.partitions if source.file else ()
            )
            for source in found.sources
        ),
    )


def check_output(folder: Place) -> None:
    """Refuse a folder that holds anything prepare did not write. Touches nothing.

    Raises:
        OutputError: naming the first foreign thing.
    """
    ours = planned_by(folder) == PROGRAM
    check_output_folder(folder, PROGRAM, lambda entry: ours and _may_be_ours(entry))


def _may_be_ours(entry: Entry) -> bool:
    return entry.is_file and (entry.name == SUCCESS or PART.fullmatch(entry.name) is not None)


def clear_output(folder: Place) -> None:
    """Remove what prepare wrote, and nothing else."""
    names = places.names_in(folder)
    clear_output_folder(folder, [folder / name for name in names if PART.fullmatch(name) or DRAFT.fullmatch(name)])


def read_plan(folder: Place) -> Plan | None:
    """The plan of an earlier run, if there is one.

    Raises:
        OutputError: if it cannot be understood.
    """
    return read_plan_file(folder / PLAN, _PLAN_JSON, PROGRAM)


def join_plan(folder: Place, plan: Plan) -> None:
    """Make ``plan`` the folder's, or find it equal to the one that is there.

    Raises:
        OutputError: if the folder is being made from another input or with other settings; all differences are named.
    """
    join_plan_file(folder / PLAN, _PLAN_JSON, plan, PROGRAM, "input", _differences)


def check_joins(folder: Place, earlier: Plan, wanted: Plan) -> None:
    """Check that ``wanted`` can go on with a folder's plan.

    Raises:
        OutputError: naming all differences.
    """
    check_same_plan(folder, "input", _differences(earlier, wanted))


@dataclass(frozen=True, slots=True, kw_only=True)
class FilesThere:
    """The numbers of the parts that lie in an output, and of the files of rows that are set apart."""

    parts: frozenset[int]
    apart: frozenset[int]


def files_there(folder: Place) -> FilesThere:
    """What lies in an output now."""
    return FilesThere(parts=frozenset(part_numbers(folder)), apart=frozenset(apart_numbers(folder)))


def record_of_done(
    folder: Place, source: str, before: Sequence[SourceRecord], there: FilesThere
) -> SourceRecord | None:
    """What was noted of a source; ``None`` if it is to be done, as it never was or has lost a file.

    Args:
        folder: the output.
        source: its name.
        before: the records of all sources before it.
        there: what lies in the output.
    """
    record = read_record(folder, len(before))
    if record is None:
        return None
    is_done = (
        record.source == source
        and record.parts.first == parts_of(before)
        and record.apart.first == apart_files_of(before)
        and record.parts.are_among(there.parts)
        and record.apart.are_among(there.apart)
    )
    return record if is_done else None


def are_all_done(folder: Place, plan: Plan) -> bool:
    """Whether all sources of a plan are done, and have lost no file since."""
    there = files_there(folder)
    records: list[SourceRecord] = []
    for source in plan.sources:
        record = record_of_done(folder, source.name, records, there)
        if record is None:
            return False
        records.append(record)
    return True


def parts_of(records: Sequence[SourceRecord]) -> int:
    """How many parts the first sources have, and so the number of the next one."""
    return records[-1].parts.end if records else 0


def apart_files_of(records: Sequence[SourceRecord]) -> int:
    """How many files of rows that are set apart the first sources have."""
    return records[-1].apart.end if records else 0


def remove_left_overs(folder: Place, records: Sequence[SourceRecord]) -> None:
    """Remove what belongs to no source: of runs that were killed, and the input as it was brought into Parquet."""
    there = files_there(folder)
    places.delete(part_path(folder, number) for number in there.parts if number >= parts_of(records))
    places.delete(apart_path(folder, number) for number in there.apart if number >= apart_files_of(records))
    remove_others(folder / ROWS, ())
    if isinstance(folder, Path):
        for each in (folder, folder / SET_APART):
            places.delete(path for path in each.glob(".*.draft") if DRAFT.fullmatch(path.name))
        for emptied in (ROWS, SET_APART):
            with suppress(OSError):  # it is not there, or holds something
                (folder / emptied).rmdir()


def _differences(earlier: Plan, now: Plan) -> Iterable[str]:
    yield from different_algorithms(earlier.algorithm, now.algorithm)
    yield from different_settings(earlier.settings, now.settings)
    before, after = ({source.name: source for source in plan.sources} for plan in (earlier, now))
    yield from different_input(before, after)
