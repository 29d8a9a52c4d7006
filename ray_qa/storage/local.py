"""Writing files so that a reader sees all of one or nothing, whatever dies when.

A bucket that is mounted as a file system knows no links and syncs no folders: there it is done without, and said so.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

NOT_KNOWN = {errno.ENOSYS, errno.EPERM, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOTTY}
"""What a file system says to what it cannot do."""
SUCCESS = "_SUCCESS"
"""The name of the empty file that says, as the last thing written, that a folder is whole."""


def publish(path: Path, content: bytes) -> None:
    """Put ``content`` at ``path`` in one step: write beside it, fsync, rename, fsync the folder."""
    draft = _write_draft(path, content)
    try:
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    _sync(path.parent)


def publish_new(path: Path, content: bytes) -> bool:
    """Like :func:`publish`, but only where nothing lies at ``path`` yet; says whether it was us."""
    draft = _write_draft(path, content)
    try:
        os.link(draft, path)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in NOT_KNOWN:
            raise
        say_once(
            f"the file system of {path.parent} knows no links: of two commands that begin at the same moment "
            "one may see half of a file"
        )
        return _create(path, content)
    finally:
        draft.unlink(missing_ok=True)
    _sync(path.parent)
    return True


def _create(path: Path, content: bytes) -> bool:
    try:
        stream = path.open("xb")
    except FileExistsError:
        return False
    try:
        with stream:
            stream.write(content)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return True


def drafts_of(path: Path) -> list[Path]:
    """What killed processes have left of drafts for ``path``."""
    return list(path.parent.glob(f".{path.name}.*.draft"))


@contextmanager
def draft_of(path: Path) -> Iterator[Path]:
    """A file or folder to be made beside ``path``; renamed to it when the block ends well, else removed."""
    draft = _draft_path(path)
    try:
        yield draft
        for written in [*draft.rglob("*"), draft]:
            _sync(written)
        draft.rename(path)
    finally:
        if draft.is_dir():
            shutil.rmtree(draft)
        else:
            draft.unlink(missing_ok=True)
    _sync(path.parent)


def remove_folder(path: Path) -> None:
    """Remove a folder so that it is never seen half removed: it loses its name first."""
    draft = _draft_path(path)
    with suppress(FileNotFoundError):
        path.rename(draft)
        shutil.rmtree(draft, ignore_errors=True)


def _draft_path(path: Path) -> Path:
    # The leading dot keeps Parquet readers of the folder from taking it for a part.
    return path.with_name(f".{path.name}.{uuid.uuid4().hex}.draft")


def _write_draft(path: Path, content: bytes) -> Path:
    draft = _draft_path(path)
    try:
        with draft.open("xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    return draft


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in NOT_KNOWN:
            raise
        say_once(
            f"the file system of {path} cannot be told to write to disk: what is written may be lost with the machine"
        )
    finally:
        os.close(descriptor)


@cache
def say_once(what: str) -> None:
    """Warn of what a store cannot do, once a process."""
    logging.getLogger(__name__).warning(what)
