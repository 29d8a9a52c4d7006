"""What is done with a place, be it a path of this machine's file systems or in a bucket."""

from __future__ import annotations

import io
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

import pyarrow as pa

from ray_qa.storage import local, objects
from ray_qa.storage.listing import Entry
from ray_qa.storage.remote import Place, Remote


def read(place: Place) -> bytes:
    """The whole of a file or object.

    Raises:
        FileNotFoundError: if there is none.
        OSError: if the file system does not let us.
        StorageError: if the store cannot be reached, or lets us not in.
    """
    return objects.read(place) if isinstance(place, Remote) else place.read_bytes()


def open_input(place: Place) -> pa.NativeFile:
    """A file or object, open for reading anywhere in it.

    Raises:
        FileNotFoundError: if there is none.
        OSError, StorageError: as :func:`read`.
    """
    return objects.open_input(place) if isinstance(place, Remote) else pa.OSFile(str(place))


def open_lines(place: Place) -> BinaryIO:
    """A file or object, open for reading line by line.

    Raises:
        FileNotFoundError: if there is none.
        OSError, StorageError: as :func:`read`.
    """
    return io.BufferedReader(open_input(place)) if isinstance(place, Remote) else place.open("rb")


def exists(place: Place) -> bool:
    """Whether there is a file or object of this name.

    Raises:
        StorageError: as :func:`read`.
    """
    return objects.exists(place) if isinstance(place, Remote) else place.exists()


def publish(place: Place, content: bytes) -> str:
    """Put ``content`` at a place in one step, over what was there: a reader sees all of it or what was before.

    Gives an object's version, and "" for a file.

    Raises:
        OSError, StorageError: as :func:`read`.
    """
    if isinstance(place, Remote):
        return objects.publish(place, content)
    local.publish(place, content)
    return ""


@contextmanager
def draft_for(place: Place, scratch: Path | None = None) -> Iterator[Path]:
    """A file of this machine to be written, which is published at ``place`` in one step when the block ends well.

    One for a bucket lies in ``scratch`` meanwhile, or in the folder for temporary files.

    Raises:
        OSError, StorageError: as :func:`read`.
    """
    if isinstance(place, Path):
        with local.draft_of(place) as draft:
            yield draft
        return
    with TemporaryDirectory(prefix="ray_qa-", dir=scratch) as folder:
        draft = Path(folder) / place.name
        yield draft
        objects.upload(place, draft)


def publish_new(place: Place, content: bytes) -> bool:
    """Like :func:`publish`, but only where nothing lies yet; says whether it was us.

    Args:
        place: where.
        content: on an object store it must be unlike anybody else's: see :func:`ray_qa.storage.objects.publish_new`.

    Raises:
        OSError, StorageError: as :func:`read`.
    """
    return objects.publish_new(place, content) if isinstance(place, Remote) else local.publish_new(place, content)


def entries_in(folder: Place) -> list[Entry]:
    """What lies directly in a folder, in the order of names; nothing where there is no such folder.

    Raises:
        OSError, StorageError: as :func:`read`.
    """
    if isinstance(folder, Remote):
        return objects.entries_in(folder)
    try:
        with os.scandir(folder) as entries:
            found = [Entry(name=entry.name, is_file=entry.is_file()) for entry in entries]
    except (FileNotFoundError, NotADirectoryError):
        return []
    return sorted(found, key=lambda entry: entry.name)


def names_in(folder: Place) -> list[str]:
    """The names of :func:`entries_in`.

    Raises:
        OSError, StorageError: as :func:`read`.
    """
    return [entry.name for entry in entries_in(folder)]


def delete(places: Iterable[Place]) -> None:
    """Delete files and objects; one that is not there is no error.

    Raises:
        OSError, StorageError: as :func:`read`.
    """
    remote = []
    for place in places:
        if isinstance(place, Remote):
            remote.append(place)
        else:
            place.unlink(missing_ok=True)
    objects.delete(remote)


def make_folder(folder: Place) -> None:
    """Make a folder, which in a bucket there is no need for.

    Raises:
        OSError: if the file system does not let us.
    """
    if isinstance(folder, Path):
        folder.mkdir(parents=True, exist_ok=True)
