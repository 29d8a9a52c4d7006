from __future__ import annotations

import time
from itertools import count
from threading import Thread

import pytest

from ray_qa.reader.stopwatch import Stopwatch, counting_on, is_counting, step


@pytest.fixture(autouse=True)
def a_second_passes_at_every_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "perf_counter", count().__next__)


def test_steps_of_one_name_add_up_until_they_are_taken() -> None:
    stopwatch = Stopwatch()
    with counting_on(stopwatch):
        for name in ("collate", "forward", "collate"):
            with step(name):
                pass
    assert stopwatch.take() == {"collate": 2, "forward": 1}
    assert stopwatch.take() == {}


def test_a_step_that_fails_is_counted_and_the_error_goes_on() -> None:
    stopwatch = Stopwatch()
    with counting_on(stopwatch), pytest.raises(MemoryError), step("forward"):
        raise MemoryError
    assert stopwatch.take() == {"forward": 1}


def test_nothing_is_counted_where_nobody_asks() -> None:
    stopwatch = Stopwatch()
    with counting_on(stopwatch):
        assert is_counting()
    with counting_on(None), step("forward"):
        assert not is_counting()
    with step("forward"):
        pass
    assert stopwatch.take() == {}


def test_a_stopwatch_counts_for_its_own_thread_only() -> None:
    stopwatch = Stopwatch()

    def other() -> None:
        with step("forward"):
            pass

    with counting_on(stopwatch):
        thread = Thread(target=other)
        thread.start()
        thread.join()
    assert stopwatch.take() == {}
