"""What a process that Ray started has to mind before it can work."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


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


def node_here() -> str:
    """The id of the node that this process is a worker of; "" where it is none of Ray's."""
    import ray

    return ray.get_runtime_context().get_node_id() if ray.is_initialized() else ""


def nodes_alive() -> set[str]:
    """The ids of the nodes that are there now, with the "" of processes that are none of Ray's."""
    import ray

    nodes: list[dict[str, Any]] = ray.nodes() if ray.is_initialized() else []  # type: ignore[no-untyped-call]  # Ray leaves it untyped
    return {"", *(node["NodeID"] for node in nodes if node["Alive"])}
