"""Interruptions that are put off while something must not be cut in the middle."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Put SIGINT and SIGTERM off until the block is done, and keep whatever handles them as it is.

    Ray cancels a task by interrupting it. An import that is cut off would leave half a module behind, and so a worker
    that can never import it again, to which Ray would hand the tasks of the next run of this process. Likewise a Ray
    that is half started can neither be used nor shut down.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    interruptions: list[int] = []
    # A handler that was not set from Python is None, and cannot be put back.
    handlers = {number: handler for number in _SIGNALS if (handler := signal.getsignal(number)) is not None}
    for number in handlers:
        signal.signal(number, lambda number, _: interruptions.append(number))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if interruptions:
            signal.raise_signal(interruptions[0])
