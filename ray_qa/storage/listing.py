"""What a listing tells of objects and folders."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ray_qa.storage.remote import Remote


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An object of a listing, or a file; ``version`` changes when its content does (an ETag, or a time)."""

    place: Remote
    size: int
    version: str
    modified: datetime
    """By the store's clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What lies in a folder: a file or object, or what further ones lie in."""

    name: str
    is_file: bool
    version: str = ""
    """Of an object."""
