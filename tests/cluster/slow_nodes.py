"""Nodes of Ray's autoscaler that are processes of this machine, and take as long to boot as a cloud's do."""

from __future__ import annotations

import time
from typing import Any

from ray.autoscaler._private.fake_multi_node.node_provider import FakeMultiNodeProvider


class SlowNodes(FakeMultiNodeProvider):
    """Ray's provider, but a node takes ``boot_seconds``."""

    def create_node_with_resources_and_labels(self, *node: Any) -> None:
        """Boot a node, in a thread of the autoscaler's own."""
        time.sleep(self.provider_config["boot_seconds"])
        super().create_node_with_resources_and_labels(*node)  # type: ignore[no-untyped-call]  # Ray leaves it untyped
