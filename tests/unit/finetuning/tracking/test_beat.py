from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from ray_qa.finetuning.tracking.beat import BeatWriter, read_beat


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "beat.json"


def test_the_latest_beat_is_read_back_with_what_is_being_done(path: Path) -> None:
    assert read_beat(path) is None
    writer = BeatWriter(place=path)
    writer.write({"step": 1, "steps": 9, "loss": 2.5})
    writer.write({"step": 2, "steps": 9}, "evaluating")
    assert {**(read_beat(path) or {}), "time": 0} == {"step": 2, "steps": 9, "doing": "evaluating", "time": 0}
    assert list(path.parent.iterdir()) == [path]
    writer.clear()
    writer.clear()
    assert read_beat(path) is None


def test_a_beat_is_due_after_a_while_and_at_once_where_something_else_is_done(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [100.0]
    monkeypatch.setattr("ray_qa.finetuning.tracking.beat.time.monotonic", lambda: clock[0])
    writer = BeatWriter(place=path)
    assert writer.is_due()
    writer.write({"step": 1})
    clock[0] += 0.4
    assert not writer.is_due()
    assert writer.is_due("evaluating")
    clock[0] += 0.1
    assert writer.is_due()
    writer.write({"step": 2}, "evaluating")
    assert not writer.is_due("evaluating")
    assert writer.is_due()


def test_what_is_no_beat_is_none(path: Path) -> None:
    for content in (b"", b'{"step": 1', b"\xff"):
        path.write_bytes(content)
        assert read_beat(path) is None
    assert read_beat(path / "under a file") is None


def test_a_beat_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    BeatWriter(place=tmp_path / "nowhere" / "beat.json").write({"step": 1})
    (tmp_path / "beat.json").mkdir()
    BeatWriter(place=tmp_path / "beat.json").write({"step": 1})
    BeatWriter(place=tmp_path / "beat.json").clear()


def test_a_reader_never_sees_half_a_beat(path: Path) -> None:
    writer = BeatWriter(place=path)
    writer.write({"step": 0})
    seen: list[Any] = []
    over = threading.Event()

    def read() -> None:
        while not over.is_set():
            seen.append(read_beat(path))

    reader = threading.Thread(target=read)
    reader.start()
    for step in range(500):
        writer.write({"step": step, **{f"figure {number}": 1.0 for number in range(step % 97)}})
    over.set()
    reader.join()
    assert None not in seen
