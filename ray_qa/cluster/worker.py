"""Where a process works: its node, and those beside it."""

from __future__ import annotations

from typing import Any


def node_here() -> str:
    """The id of the node that this process is a worker of; "" where it is none of Ray's."""
    import ray

    return ray.get_runtime_context().get_node_id() if ray.is_initialized() else ""


def nodes_alive() -> set[str]:
    """The ids of the nodes that are there now, with the "" of processes that are none of Ray's."""
    import ray

    nodes: list[dict[str, Any]] = ray.nodes() if ray.is_initialized() else []  # type: ignore[no-untyped-call]  # Ray leaves it untyped
    return {"", *(node["NodeID"] for node in nodes if node["Alive"])}
