"""Waiting until a cluster has room for what is to run there."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ray.util.placement_group import placement_group, remove_placement_group

LOOK_SECONDS = 1.0
"""A signal to the process is heeded so soon: Ray waits without looking for any."""


def wait_for_room(bundles: Sequence[dict[str, float]], seconds: float) -> bool:
    """Wait until all bundles of resources can be had at once; says whether they could be.

    They are let go of again. A cluster that can grow is asked to by the waiting itself.
    """
    deadline = time.monotonic() + seconds
    group = placement_group(list(bundles), strategy="PACK")
    try:
        while not (there := bool(group.wait(LOOK_SECONDS))) and time.monotonic() < deadline:
            pass
        return there
    finally:
        remove_placement_group(group)
