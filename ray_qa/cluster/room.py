"""Waiting until a cluster has room for what is to run there."""

from __future__ import annotations

from collections.abc import Sequence

from ray.util.placement_group import placement_group, remove_placement_group


def wait_for_room(bundles: Sequence[dict[str, float]], seconds: float) -> bool:
    """Wait until all bundles of resources can be had at once; says whether they could be.

    They are let go of again. A cluster that can grow is asked to by the waiting itself.
    """
    group = placement_group(list(bundles), strategy="PACK")
    try:
        return bool(group.wait(seconds))
    finally:
        remove_placement_group(group)
