from __future__ import annotations

import pytest

from ray_qa.finetuning.throughput import ThroughputMeter


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time is its last entry."""
    times = [100.0]
    monkeypatch.setattr("ray_qa.finetuning.throughput.time.perf_counter", lambda: times[-1])
    return times


def test_rates_count_windows_and_tokens_a_second_and_seconds_a_step(clock: list[float]) -> None:
    meter = ThroughputMeter(started=100.0)
    meter.count(windows=32, tokens=5_000)
    meter.count(windows=16, tokens=3_000)
    clock.append(104.0)
    assert meter.rates() == {"windows_per_second": 12, "tokens_per_second": 2_000, "step_seconds": 2}


def test_pauses_do_not_count(clock: list[float]) -> None:
    meter = ThroughputMeter(started=100.0)
    clock.append(101.0)
    for until in (500.0, 900.0):
        with meter.paused():
            clock.append(until)
        clock.append(until + 1)
    meter.count(windows=6, tokens=60)
    assert meter.rates() == {"windows_per_second": 2, "tokens_per_second": 20, "step_seconds": 3}


def test_a_pace_without_time_or_steps_divides_by_neither(clock: list[float]) -> None:
    meter = ThroughputMeter(started=clock[-1])
    assert meter.rates()["windows_per_second"] == 0
    clock.append(103.0)
    assert meter.rates() == {"windows_per_second": 0, "tokens_per_second": 0, "step_seconds": 3}


def test_the_clock_runs_from_when_it_was_made() -> None:
    assert 0 < ThroughputMeter().rates()["step_seconds"] < 60
