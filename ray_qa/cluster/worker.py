"""What a process that Ray started has to mind before it can work."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Put an interruption off until the block is done.

    Ray cancels a task by interrupting it. An import that is cut off would leave half a module behind, and so a worker
    that can never import it again, to which Ray would hand the tasks of the next run of this process.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    interruptions: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, _: interruptions.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
    if interruptions:
        raise KeyboardInterrupt
