"""What is noted of a source when it is done: what became of its rows, and which files hold them.

.ray_qa/sources/NNNNNNN.json                  one for each source, in order
.ray_qa/set-apart/set-apart-NNNNNNN.parquet   rows whose answers cannot be used, as they came
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from ray_qa.preparation.counts import Counts
from ray_qa.preparation.survey import OffsetSurvey
from ray_qa.runs.output_folder import OURS
from ray_qa.storage import places
from ray_qa.storage.remote import Place

RECORDS, SET_APART = f"{OURS}/sources", f"{OURS}/set-apart"
APART = re.compile(r"set-apart-(\d{7,})\.parquet")


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """A run of numbered files."""

    first: int
    count: int

    @property
    def end(self) -> int:
        """The number after the last one's."""
        return self.first + self.count

    def are_among(self, numbers: Collection[int]) -> bool:
        """Whether all of them are there."""
        return all(number in numbers for number in range(self.first, self.end))


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRecord:
    """What became of a source."""

    source: str
    counts: Counts
    offsets: OffsetSurvey
    parts: Files
    apart: Files
    example: str = ""
    """The first row that is set apart, in words."""


_RECORD: TypeAdapter[SourceRecord] = TypeAdapter(SourceRecord)


def apart_path(folder: Place, number: int) -> Place:
    """Where a file of rows lies that are set apart."""
    return folder / SET_APART / f"set-apart-{number:07d}.parquet"


def read_record(folder: Place, number: int) -> SourceRecord | None:
    """What was noted of a source, if it was done."""
    try:
        return _RECORD.validate_json(places.read(_record_path(folder, number)))
    except (FileNotFoundError, NotADirectoryError, ValidationError):
        return None


def write_record(folder: Place, number: int, record: SourceRecord) -> None:
    """Note that a source is done."""
    places.make_folder(folder / RECORDS)
    places.publish(_record_path(folder, number), _RECORD.dump_json(record))


def apart_numbers(folder: Place) -> set[int]:
    """The numbers of the files that are there of rows that are set apart."""
    matches = map(APART.fullmatch, places.names_in(folder / SET_APART))
    return {int(match[1]) for match in matches if match}


def _record_path(folder: Place, number: int) -> Place:
    return folder / RECORDS / f"{number:07d}.json"
