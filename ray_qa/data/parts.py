"""The names of the parts of an annotated corpus: one for each unit, in input order."""

from __future__ import annotations

import re

from ray_qa.storage import places
from ray_qa.storage.remote import Place

PART = re.compile(r"part-(\d{7,})\.parquet")


def part_path(folder: Place, unit: int) -> Place:
    """Where the part of a unit lies: zero-padded, so that name order is input order."""
    return folder / f"part-{unit:07d}.parquet"


def part_numbers(folder: Place) -> set[int]:
    """Numbers of the units whose parts are there, by one listing of names."""
    matches = map(PART.fullmatch, places.names_in(folder))
    return {int(match[1]) for match in matches if match}
