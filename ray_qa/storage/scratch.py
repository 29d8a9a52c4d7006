"""What a node keeps of its own for a while, for all processes there: copies of objects, and what is made of them."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ray_qa.errors import OutputError, first_line
from ray_qa.storage import objects
from ray_qa.storage.listing import Found
from ray_qa.storage.local import draft_of, drafts_of, remove_folder
from ray_qa.storage.remote import Remote

FETCHED_AT_ONCE = 16


def scratch_folder(named: str | None, run: str) -> Path:
    """A folder of this user's for what a run keeps on a node, made where it is not there.

    Args:
        named: what it is to lie in; unless given, the node's folder for temporary files.
        run: what tells the run from all others, such as the URL of its output.

    Raises:
        OutputError: if it cannot be made, or is somebody else's.
    """
    folder = Path(named or tempfile.gettempdir()).expanduser() / f"ray_qa-{os.getuid()}"
    own = folder / hashlib.sha256(run.encode()).hexdigest()[:32]
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.is_symlink() or folder.stat().st_uid != os.getuid():
            raise OutputError(f"`scratch` must hold a folder of our own, but {folder} is somebody else's; name another")
        own.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"`scratch` must be a folder to write to on every node, but {folder} on {os.uname().nodename} gives: "
            f"{first_line(error)}; name another"
        ) from error
    return own


def made_once(folder: Path, make: Callable[[Path], None]) -> Path:
    """A folder that holds what ``make`` puts there: one process makes it while the others wait.

    Raises:
        OSError: if it cannot be written to.
    """
    from filelock import FileLock

    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock")):
            if not folder.exists():
                for left in drafts_of(folder):  # by one that was killed, as none other is at it
                    remove_folder(left)
                with draft_of(folder) as draft:
                    draft.mkdir()
                    make(draft)
    return folder


def copies_once(found: Sequence[Found], scratch: Path, unpack: Callable[[Path], None] = lambda _: None) -> Path:
    """The folder on this node with copies of objects, by their names, fetched unless these very versions are there.

    Args:
        found: the objects, of different names.
        scratch: what the folder is to lie in.
        unpack: makes something else of the copies in the folder it is given.

    Raises:
        OutputError: if the scratch folder cannot be written to.
        StorageError: if they cannot be fetched.
    """

    def make(draft: Path) -> None:
        fetch(found, draft)
        unpack(draft)

    key = json.dumps([[str(each.place), each.size, each.version] for each in found])
    try:
        return made_once(scratch / f"copies-{hashlib.sha256(key.encode()).hexdigest()[:32]}", make)
    except OSError as error:
        raise OutputError(
            f"`scratch` must have room on every node, but {scratch} on {os.uname().nodename} gives: "
            f"{first_line(error)}; name another"
        ) from error


def fetch(found: Iterable[Found], folder: Path) -> None:
    """Write objects into a folder, under their names.

    Raises:
        OSError: if it cannot be written to.
        StorageError: if they cannot be fetched.
    """
    with ThreadPoolExecutor(FETCHED_AT_ONCE) as threads:
        for done in [threads.submit(objects.download, each, folder / each.place.name) for each in found]:
            done.result()


def objects_in(folder: Remote, suffix: str) -> list[Found]:
    """The objects directly in a folder whose names end with ``suffix``, in the order of names.

    Raises:
        StorageError: if they cannot be listed.
    """
    return [
        each for each in objects.list_below(folder) if each.place.parent == folder and each.place.name.endswith(suffix)
    ]
