from __future__ import annotations

from pathlib import Path

import pytest

from ray_qa.annotation import memory


def test_the_peak_is_that_of_what_comes_after_it_was_begun() -> None:
    if memory.memory_taken() is None:
        pytest.skip("this system has no /proc")
    held = bytearray(b"1" * (200 << 20))
    assert len(held) < (memory.peak_taken() or 0)
    del held
    memory.begin_peak()
    now = memory.memory_taken() or 0
    assert now <= (memory.peak_taken() or 0) < now + (150 << 20)


def test_a_container_has_what_it_may_have(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    machine = memory.memory_of_machine()
    assert machine is not None
    (tmp_path / "none").write_text("max\n")
    (tmp_path / "limit").write_text("1000000\n")
    monkeypatch.setattr(memory, "LIMITS", (tmp_path / "none", tmp_path / "limit", tmp_path / "missing"))
    assert memory.memory_of_machine() == 1_000_000


def test_where_the_system_does_not_tell_nothing_is_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(memory, "STATUS", tmp_path / "missing")
    assert (memory.memory_taken(), memory.peak_taken()) == (None, None)
