"""Nodes that are there, and one that has just gone."""

from __future__ import annotations

import pytest
import ray

from ray_qa.cluster.worker import node_here, nodes_alive


@pytest.mark.usefixtures("ray_cluster")
def test_a_node_that_has_gone_is_missed_before_ray_misses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    (here,) = ray.nodes()  # type: ignore[no-untyped-call]  # Ray leaves it untyped
    gone = here | {"NodeID": "gone", "NodeManagerPort": 1}
    monkeypatch.setattr("ray.nodes", lambda: [here, gone, here | {"NodeID": "dead", "Alive": False}])
    assert nodes_alive() == {"", node_here()}
