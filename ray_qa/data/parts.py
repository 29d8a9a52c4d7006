"""The names of the parts of an annotated corpus: one for each unit, in input order."""

from __future__ import annotations

import re
from pathlib import Path

PART = re.compile(r"part-(\d{7,})\.parquet")


def part_path(folder: Path, unit: int) -> Path:
    """Where the part of a unit lies: zero-padded, so that name order is input order."""
    return folder / f"part-{unit:07d}.parquet"


def part_numbers(folder: Path) -> set[int]:
    """Numbers of the units whose parts are there, by one listing of names."""
    matches = (PART.fullmatch(path.name) for path in folder.iterdir())
    return {int(match[1]) for match in matches if match}
