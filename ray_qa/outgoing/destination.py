"""Where rows go: a file or object that appears whole, or standard output."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from ray_qa.errors import OutputError, first_line
from ray_qa.storage import places
from ray_qa.storage.credentials import Access
from ray_qa.storage.local import drafts_of
from ray_qa.storage.remote import Place, Remote, place_of

STANDARD_OUTPUT = "-"


def access_for(path: str, *, anonymous: bool) -> Access:
    """In whose name buckets are opened by a command that writes there."""
    return Access(anonymous=anonymous, output=None if path == STANDARD_OUTPUT else place_of(path, "output"))


def check_destination(path: str, setting: str, apart_from: Place, overwrite: bool) -> None:
    """Refuse a file that is there already, and one within the output that is read, where it would be foreign.

    Raises:
        OutputError: saying which.
        StorageError: if its bucket cannot be reached.
    """
    if path == STANDARD_OUTPUT:
        return
    place = place_of(path, setting)
    check_apart_from(place, setting, apart_from)
    if isinstance(place, Path) and place.is_dir():
        raise OutputError(f"`{setting}` must be a file to write, but {place} is a folder")
    if not overwrite and places.exists(place):
        raise OutputError(f"`{setting}` must be a new file, but {place} is there; name another, or use --overwrite")


def check_apart_from(place: Place, setting: str, folder: Place) -> None:
    """Refuse what lies within the output that is read.

    Raises:
        OutputError: naming both.
    """
    if isinstance(place, Remote) or isinstance(folder, Remote):
        within = str(place).startswith(f"{folder}/") or place == folder
    else:
        within = place.resolve().is_relative_to(folder.resolve())
    if within:
        raise OutputError(f"`{setting}` must lie outside the output that is read, but {place} is in {folder}")


def write_text(path: str, setting: str, pieces: Iterable[str]) -> None:
    """Write pieces of text as they come, in UTF-8; a file appears when the last of them is there.

    Raises:
        OutputError: if it cannot be written.
        StorageError: if its bucket does not let us.
    """
    if path == STANDARD_OUTPUT:
        for piece in pieces:
            sys.stdout.buffer.write(piece.encode())
        sys.stdout.buffer.flush()
        return
    place = place_of(path, setting)
    try:
        places.make_folder(place.parent)
        if isinstance(place, Path):
            places.delete(drafts_of(place))  # of commands that were killed
        with places.draft_for(place) as draft, draft.open("wb") as stream:
            stream.writelines(piece.encode() for piece in pieces)
    except OSError as error:
        raise OutputError(
            f"`{setting}` must be a file that can be written, but {place} gives: {first_line(error)}"
        ) from error
