from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ray_qa.finetuning.progress import TrainingProgress
from ray_qa.finetuning.tracking.metrics_log import METRICS, append_metrics, go_back_to
from ray_qa.finetuning.tracking.tail import tail_metrics


def line(step: int) -> dict[str, float]:
    return {
        "step": step, "steps": 30, "loss": 1.0, "learning_rate": 0.1, "windows_per_second": 1.0,
        "tokens_per_second": 1.0, "step_seconds": 1.0, "bad_steps": 0,
    }  # fmt: skip


def until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ray_qa.finetuning.tracking.tail.TAIL_SECONDS", 0.01)


def test_lines_are_handed_on_as_they_come_and_those_of_the_last_moment_too(tmp_path: Path) -> None:
    path, progress = tmp_path / METRICS, TrainingProgress(tmp_path / "beat.json")
    kept: list[list[float]] = []
    with tail_metrics(path, progress.update, lambda lines: kept.append([each["step"] for each in lines])):
        append_metrics(path, line(10))
        until(lambda: kept[-1:] == [[10]])
        append_metrics(path, line(20))
        until(lambda: kept[-1:] == [[10, 20]])
        assert progress.line().text.startswith("step 20/30")
        append_metrics(path, line(30))
    assert kept[-1] == [10, 20, 30]


def test_a_log_that_is_set_back_and_as_long_as_before_is_read_again(tmp_path: Path) -> None:
    path, progress = tmp_path / METRICS, TrainingProgress(tmp_path / "beat.json")
    append_metrics(path, line(10))
    append_metrics(path, line(20))
    with tail_metrics(path, progress.update):
        until(lambda: progress.line().text.startswith("step 20/30"))
        go_back_to(path, 10)
        append_metrics(path, line(11))
        until(lambda: progress.line().text.startswith("step 11/30"))


def test_a_log_that_does_not_change_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, progress = tmp_path / METRICS, TrainingProgress(tmp_path / "beat.json")
    with tail_metrics(path, progress.update):
        append_metrics(path, line(10))
        until(lambda: progress.line().text.startswith("step 10/30"))
        time.sleep(0.1)
        monkeypatch.setattr("ray_qa.finetuning.tracking.tail.read_metrics", lambda _: pytest.fail("read again"))
        time.sleep(0.1)


def test_the_last_lines_are_handed_on_when_training_fails(tmp_path: Path) -> None:
    append_metrics(tmp_path / METRICS, line(10))
    kept: list[list[float]] = []
    with (
        pytest.raises(ZeroDivisionError),
        tail_metrics(tmp_path / METRICS, lambda lines: kept.append([each["step"] for each in lines])),
    ):
        raise ZeroDivisionError
    assert kept[-1] == [10]
