"""Where a process works: its node, and those beside it."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

ANSWER_SECONDS = 5.0
"""Time for a node to answer before it is taken for lost."""


def node_here() -> str:
    """The id of the node that this process is a worker of; "" where it is none of Ray's."""
    import ray

    return ray.get_runtime_context().get_node_id() if ray.is_initialized() else ""


def nodes_alive() -> set[str]:
    """The ids of the nodes that answer now, with the "" of processes that are none of Ray's.

    Ray itself calls a node that has gone alive for some fifteen seconds more.
    """
    import ray

    nodes: list[dict[str, Any]] = ray.nodes() if ray.is_initialized() else []  # type: ignore[no-untyped-call]  # Ray leaves it untyped
    nodes = [node for node in nodes if node["Alive"]]
    with ThreadPoolExecutor(max_workers=32) as threads:
        answers = threads.map(_answers, nodes)
    return {"", *(node["NodeID"] for node, answer in zip(nodes, answers, strict=True) if answer)}


def _answers(node: dict[str, Any]) -> bool:
    try:
        socket.create_connection((node["NodeManagerAddress"], node["NodeManagerPort"]), timeout=ANSWER_SECONDS).close()
    except OSError:
        return False
    return True
