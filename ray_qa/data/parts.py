"""The parts of an annotated corpus, one for each unit: their names, in input order, and their label."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, overload

from ray_qa.storage import places
from ray_qa.storage.listing import Entry
from ray_qa.storage.remote import Place, Remote

PART = re.compile(r"part-(\d{7,})\.parquet")
LABEL = b"ray_qa"
"""The key of a part's Parquet metadata under which it says of what plan it is, and what became of its rows."""
Compression = Literal["zstd", "snappy"]


@overload
def part_path(folder: Path, unit: int) -> Path: ...


@overload
def part_path(folder: Remote, unit: int) -> Remote: ...


def part_path(folder: Place, unit: int) -> Place:
    """Where the part of a unit lies: zero-padded, so that name order is input order."""
    return folder / f"part-{unit:07d}.parquet"


def part_numbers(folder: Place) -> set[int]:
    """Numbers of the units whose parts are there, by one listing of names."""
    return set(part_versions(folder))


def part_versions(folder: Place) -> dict[int, str]:
    """Numbers of the units whose parts are there, and what changes with their content in a bucket."""
    return versions_of(places.entries_in(folder))


def versions_of(entries: Iterable[Entry]) -> dict[int, str]:
    """What :func:`part_versions` says, of a folder that has been listed."""
    matches = ((PART.fullmatch(entry.name), entry.version) for entry in entries)
    return {int(match[1]): version for match, version in matches if match}
