"""What is different where Ray's job server runs a command: it works in an uploaded copy, which vanishes."""

from __future__ import annotations

from pathlib import Path

from ray_qa.errors import InputError

_COPIES = ("runtime_resources", "working_dir_files")
"""The folders in which Ray unpacks what ``ray job submit --working-dir`` has uploaded."""


def check_outlives_job(setting: str, path: str) -> None:
    """Check that a path does not lie in the copy of the working directory that a submitted job runs in.

    Raises:
        InputError: if it does.
    """
    here = Path.cwd()
    if not any(here.parts[at : at + 2] == _COPIES for at in range(len(here.parts))):
        return
    if "://" not in path and Path(path).expanduser().resolve().is_relative_to(here.resolve()):
        raise InputError(
            f"`{setting}` must be an absolute path in a submitted job, but {path!r} lies in Ray's copy of the working "
            "directory, which only this node has and which vanishes; name a path that all nodes share"
        )
