"""Where a process works: its node, whether that is to stay, and those beside it."""

from __future__ import annotations

import math
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

ANSWER_SECONDS = 5.0
"""Time for a node to answer before it is taken for lost."""
LOOK_SECONDS = 2.0
"""Nodes that are taken back are told of half a minute before, or more."""


def node_here() -> str:
    """The id of the node that this process is a worker of; "" where it is none of Ray's."""
    import ray

    return ray.get_runtime_context().get_node_id() if ray.is_initialized() else ""


def nodes_alive() -> set[str]:
    """The ids of the nodes that answer now and are to stay, with the "" of processes that are none of Ray's.

    Ray itself calls a node that has gone alive for some fifteen seconds more.
    """
    import ray

    nodes: list[dict[str, Any]] = ray.nodes() if ray.is_initialized() else []  # type: ignore[no-untyped-call]  # Ray leaves it untyped
    nodes = [node for node in nodes if node["Alive"]]
    with ThreadPoolExecutor(max_workers=32) as threads:
        answers = threads.map(_answers, nodes)
    return {"", *(node["NodeID"] for node, answer in zip(nodes, answers, strict=True) if answer)} - nodes_that_leave()


def node_leaves() -> bool:
    """Whether the node here is to be taken away, as Ray has been told; asking takes half a millisecond."""
    return node_here() in nodes_that_leave()


def nodes_that_leave() -> set[str]:
    """The ids of the nodes that are being drained, as Ray calls it; Ray Data and Ray Train ask in the same way."""
    import ray
    from ray._private.state import state

    return set(state.get_draining_nodes()) if ray.is_initialized() else set()


@dataclass(slots=True)
class NodeWatch:
    """Asks :func:`node_leaves` every few seconds, for loops that are faster."""

    asked: float = -math.inf
    leaves: bool = False

    def look(self) -> bool:
        """Whether the node here is to be taken away, as far as is known."""
        if time.monotonic() - self.asked >= LOOK_SECONDS:
            self.leaves, self.asked = node_leaves(), time.monotonic()
        return self.leaves


def _answers(node: dict[str, Any]) -> bool:
    try:
        socket.create_connection((node["NodeManagerAddress"], node["NodeManagerPort"]), timeout=ANSWER_SECONDS).close()
    except OSError:
        return False
    return True
