"""What all commands' output folders have in common: where our files lie, whose folder it is, when it is finished.

.ray_qa/plan.json        what is to be done, and the fingerprints of what it is done with
.ray_qa/run.json         what was done
_SUCCESS                 written when all of it is there

The rest of a folder is its command's. Readers of Parquet folders pass over names that begin with a dot.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from ray_qa.errors import ConfigError, OutputError, first_line
from ray_qa.settings import PathText
from ray_qa.storage import objects, places
from ray_qa.storage.listing import Entry
from ray_qa.storage.local import SUCCESS, drafts_of
from ray_qa.storage.remote import Place, Remote, place_of

OURS = ".ray_qa"
PLAN, RUN = f"{OURS}/plan.json", f"{OURS}/run.json"
LEASES = f"{OURS}/leases"
"""See ``ray_qa.runs.leases``: clearing an output must not let go of it."""
ROWS = f"{OURS}/rows"
"""Rows that were brought into Parquet: made before a command has its output for itself, they outlive clearing."""
OLD_SIDE_FOLDER = "_ray_qa"


def _can_be_written_to(value: str) -> str:
    try:
        place_of(value, "output")
    except ConfigError as error:
        raise ValueError(str(error)) from None
    return value


OutputText = Annotated[PathText, Field(min_length=1), AfterValidator(_can_be_written_to)]
"""A folder's path, or its URL in a bucket."""


def output_place(value: str) -> Place:
    """The folder that an :data:`OutputText` names, by its absolute path with all links resolved, or in its bucket."""
    place = place_of(value, "output")
    return place.resolve() if isinstance(place, Path) else place


def check_output_folder(folder: Place, program: str, fits: Callable[[Entry], bool]) -> list[Entry]:
    """Refuse a folder that holds anything ``program`` did not write; gives what it holds. Touches nothing.

    Args:
        folder: the output.
        program: the command, as users call it.
        fits: whether what lies at the folder's root may be the command's; asked where there is a plan of ours.

    Raises:
        OutputError: naming the first foreign thing.
        StorageError: if its bucket cannot be listed.
    """
    if isinstance(folder, Path) and folder.exists() and not folder.is_dir():
        raise OutputError(f"`output` must be a folder, but {folder} is a file")
    there = places.entries_in(folder)
    names = [entry.name for entry in there]
    if OLD_SIDE_FOLDER in names:
        raise OutputError(
            f"`output` must be a folder of this version of {program}, but {folder} was made by an older one "
            f"(it holds {OLD_SIDE_FOLDER!r}); name another"
        )
    is_ours = OURS in names and places.exists(folder / PLAN)
    foreign = [entry.name for entry in there if not entry.name.startswith(".") and not (is_ours and fits(entry))]
    if foreign:
        raise OutputError(
            f"`output` must be a new folder, an empty one, or one that {program} made, but {folder} holds "
            f"{foreign[0]!r}; name another"
        )
    return there


def clear_output_folder(folder: Place, published: Iterable[Place]) -> None:
    """Remove what a command wrote, and nothing else; the plan goes last, so that a killed clearing can be repeated.

    Args:
        folder: the output.
        published: what the command wrote outside ``.ray_qa/``.

    Raises:
        OutputError: if something cannot be removed; what is left would pass for the next run's.
        StorageError: if its bucket does not let us.
    """
    plan = folder / PLAN
    try:
        if isinstance(folder, Remote):
            found = [each.place for each in objects.list_below(folder / OURS)]
            ours = [
                place
                for place in found
                if place not in (plan, folder / LEASES) and place.parent not in (folder / LEASES, folder / ROWS)
            ]
            places.delete([folder / SUCCESS, *published, *ours])
            places.delete([plan])
            return
        for path in [folder / SUCCESS, *drafts_of(folder / SUCCESS), *published, *(folder / OURS).glob("*")]:
            if isinstance(path, Path) and path not in (plan, folder / ROWS):
                remove(path)
        places.delete([plan])
        with suppress(OSError):  # it holds rows
            (folder / OURS).rmdir()
    except OSError as error:
        raise OutputError(
            f"`output` must be a folder that can be cleared, but {folder} gives: {first_line(error)}"
        ) from error


def finish_output_folder(folder: Place, run_json: bytes) -> None:
    """Write down what was done, and that all of it is."""
    places.publish(folder / RUN, run_json)
    places.publish(folder / SUCCESS, b"")


def remove(path: Path) -> None:
    """Remove a file, or a folder with all it holds, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
