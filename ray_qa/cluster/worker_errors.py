"""Errors of ours that were raised on a worker, found again in what Ray raises of them."""

from __future__ import annotations

import errno
from collections.abc import Iterator

from ray_qa.errors import ClusterError, RayQaError, first_line, full_disk


def error_from_worker(error: BaseException) -> RayQaError | None:
    """The error of ours that was raised on a worker and that a Ray error hands over, if it does.

    So comes what the system says of a full disk, and a node that has no ray_qa.
    """
    for raised in _raised_on_workers(error):
        if isinstance(raised, RayQaError):
            # Each problem is one line; Ray Data adds advice of its own below the first.
            return type(raised)(*(problem.partition("\n")[0] for problem in raised.problems))
        if isinstance(raised, OSError) and raised.errno in (errno.ENOSPC, errno.EDQUOT):
            return full_disk(first_line(raised))
    if "No module named 'ray_qa'" in str(error):
        return ClusterError(
            "every node must have ray_qa, but one cannot import it; install it on all nodes, or submit the command "
            "from the repository's root with ray job submit --working-dir ."
        )
    return None


def said_by(error: BaseException) -> str:
    """The first line of what went wrong on a worker; a Ray error's own says where it did."""
    return first_line(next((each for each in _raised_on_workers(error) if each is not error), error))


def _raised_on_workers(error: BaseException) -> Iterator[BaseException]:
    """Ray Core's errors have a cause, Ray Train's the failures of its workers by rank; both may come inside others."""
    chain: BaseException | None = error
    while chain is not None:
        failures: dict[int, BaseException] = getattr(chain, "worker_failures", {})
        for failure in (*failures.values(), getattr(chain, "cause", None), chain):
            if isinstance(failure, BaseException):
                yield failure
        chain = chain.__cause__
