"""Errors of ours that were raised on a worker, found again in what Ray tells of them."""

from __future__ import annotations

import errno
import re

from ray_qa import errors
from ray_qa.errors import RayQaError, full_disk

_ERROR_IN_TRACEBACK = re.compile(r"^ray_qa\.errors\.(\w+): (.+)$", re.MULTILINE)
_FULL_DISK_IN_TRACEBACK = re.compile(rf"^OSError: (\[Errno (?:{errno.ENOSPC}|{errno.EDQUOT})\] .+)$", re.MULTILINE)


def error_from_worker(error: Exception) -> RayQaError | None:
    """The error of ours that was raised on a worker and that a Ray error tells of, if it does.

    Ray hands on the text of a worker's traceback, not the exception; one of ours ends in a line that says all. So does
    what the system says of a full disk.
    """
    told = _ERROR_IN_TRACEBACK.search(str(error))
    if told and (kind := getattr(errors, told[1], None)):
        ours: RayQaError = kind(told[2])
        return ours
    full = _FULL_DISK_IN_TRACEBACK.search(str(error))
    return full_disk(full[1]) if full else None
