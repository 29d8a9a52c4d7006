"""Waiting for room."""

from __future__ import annotations

import _thread
import threading
import time

import pytest

from ray_qa.cluster.room import wait_for_room


@pytest.mark.usefixtures("ray_cluster")
def test_ctrl_c_ends_the_waiting() -> None:
    began = time.monotonic()
    threading.Timer(1, _thread.interrupt_main).start()
    with pytest.raises(KeyboardInterrupt):
        wait_for_room([{"CPU": 1000}], 20)
    assert time.monotonic() - began < 10


@pytest.mark.usefixtures("ray_cluster")
def test_room_is_told_from_none() -> None:
    assert wait_for_room([{"CPU": 0.5}], 60)
    assert not wait_for_room([{"CPU": 1000}], 0)
