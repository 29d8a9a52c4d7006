"""What is made of a model's files and can be made again, kept in a folder of the user's for all processes there."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from ray_qa.storage.scratch import made_once

CACHE = "RAY_QA_CACHE"
"""The environment variable that names the cache folder."""


def cache_folder() -> Path:
    """Where what can be made again is kept: ``RAY_QA_CACHE``, else the user's cache folder."""
    from platformdirs import user_cache_path

    named = os.environ.get(CACHE)
    return Path(named).expanduser() if named else user_cache_path("ray_qa")


def kept(kind: str, key: Sequence[object], make: Callable[[Path], None]) -> Path:
    """The folder of a ``kind`` that holds what ``key`` decides.

    Where it is not there yet ``make`` fills it, in one process while the others wait. ``key`` is JSON, and has to name
    all that decides the content: digests of files, versions of libraries, and a number for the form.

    Raises:
        OSError: if the cache folder cannot be written to.
    """
    return made_once(_folder(kind, key), make)


def is_kept(kind: str, key: Sequence[object]) -> bool:
    """Whether :func:`kept` has nothing left to make."""
    return _folder(kind, key).exists()


def _folder(kind: str, key: Sequence[object]) -> Path:
    return cache_folder() / kind / hashlib.sha256(json.dumps(key).encode()).hexdigest()[:32]
