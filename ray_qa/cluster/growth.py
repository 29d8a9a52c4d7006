"""Whether a cluster can get more nodes than it has, as its autoscaler tells."""

from __future__ import annotations

import json
import time

from ray._private.ray_constants import DEBUG_AUTOSCALING_STATUS
from ray.autoscaler._private.util import format_readonly_node_type
from ray.autoscaler.v2.utils import is_autoscaler_v2
from ray.experimental.internal_kv import _internal_kv_get

from ray_qa.cluster.connection import Cluster
from ray_qa.cluster.placement import all_resources
from ray_qa.errors import ClusterError

SECONDS = 30.0
"""Time for the first report of a head that has just been started; it takes about ten."""


def can_grow(cluster: Cluster) -> bool:
    """Whether an autoscaler may add nodes to the cluster that we are connected to.

    One that was started by hand has an autoscaler too, which only reports: to it each node is of a type of its own,
    which is named for the node. A cluster may grow if nothing is known: where no autoscaler reports, or one of version
    2, whose reports do not tell.
    """
    if cluster.private:
        return False
    if is_autoscaler_v2(fetch_from_server=True):
        return True
    deadline = time.monotonic() + SECONDS
    while not (types := _types_of_nodes()) and time.monotonic() < deadline:
        time.sleep(0.5)
    return not types or any(named != format_readonly_node_type(node) for node, named in types.items())


def cannot_fit(cluster: Cluster, setting: str, asked: str) -> ClusterError:
    """What to say where a cluster that cannot grow has too little for what is asked."""
    has = f"({all_resources(cluster.nodes)})"
    if cluster.private:
        return ClusterError(f"`{setting}` must fit the machine {has}, but {asked}; ask for less")
    return ClusterError(
        f"`{setting}` must fit the cluster {has}, which has no autoscaler to add nodes, but {asked}; ask for less, or "
        "add nodes first"
    )


def _types_of_nodes() -> dict[str, str]:
    """The type of each node by its id or address, as the autoscaler's last report has them."""
    status = json.loads(_internal_kv_get(DEBUG_AUTOSCALING_STATUS) or b"{}")
    types: dict[str, str] = (status.get("autoscaler_report") or {}).get("node_type_mapping") or {}
    return types
