"""Writing files so that a reader sees all of one or nothing, whatever dies when."""

from __future__ import annotations

import os
import uuid
from pathlib import Path


def publish(path: Path, content: bytes) -> None:
    """Put ``content`` at ``path`` in one step: write beside it, fsync, rename, fsync the folder."""
    draft = _write_draft(path, content)
    try:
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    _sync_folder(path.parent)


def publish_new(path: Path, content: bytes) -> bool:
    """Like :func:`publish`, but only where nothing lies at ``path`` yet; says whether it was us."""
    draft = _write_draft(path, content)
    try:
        os.link(draft, path)
    except FileExistsError:
        return False
    finally:
        draft.unlink(missing_ok=True)
    _sync_folder(path.parent)
    return True


def _write_draft(path: Path, content: bytes) -> Path:
    # The leading dot keeps Parquet readers of the folder from taking it for a part.
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}.draft")
    try:
        with draft.open("xb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    return draft


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
