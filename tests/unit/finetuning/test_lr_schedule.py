from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_qa.finetuning.lr_schedule import Schedule, learning_rate_factor, warmup_steps

schedules: st.SearchStrategy[Schedule] = st.sampled_from(["linear", "cosine", "constant"])


def factors(schedule: Schedule, steps: int, warmup: int) -> list[float]:
    return [
        learning_rate_factor(step, steps=steps, warmup_steps=warmup, schedule=schedule) for step in range(steps + 1)
    ]


@given(schedules, st.integers(1, 60), st.data())
def test_the_rate_rises_in_equal_parts_to_one_and_never_again(
    schedule: Schedule, steps: int, data: st.DataObject
) -> None:
    warmup = data.draw(st.integers(0, steps))
    every = factors(schedule, steps, warmup)
    assert every[:warmup] == pytest.approx([(step + 1) / warmup for step in range(warmup)])
    assert all(later <= earlier for earlier, later in pairwise(every[warmup:]))
    assert max(every[:-1]) == 1
    assert all(0 < factor <= 1 for factor in every[:-1])


@given(st.integers(1, 60), st.data())
def test_only_a_constant_rate_does_not_end_at_nought(steps: int, data: st.DataObject) -> None:
    warmup = data.draw(st.integers(0, steps - 1))
    assert factors("linear", steps, warmup)[-1] == 0
    assert factors("cosine", steps, warmup)[-1] == 0
    assert set(factors("constant", steps, warmup)[warmup:]) == {1}


def test_the_forms_after_the_warm_up_are_a_line_and_half_a_cosine() -> None:
    assert factors("linear", 10, 2) == pytest.approx([0.5, 1, 1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8, 0])
    assert factors("cosine", 6, 0) == pytest.approx([1, 0.9330127, 0.75, 0.5, 0.25, 0.0669873, 0])
    assert factors("constant", 4, 2) == [0.5, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("warmup", "steps", "wanted"),
    [(0, 100, 0), (0.05, 100, 5), (0.05, 9, 0), (0.999, 100, 100), (1, 100, 1), (30, 100, 30), (30.0, 20, 20)],
)
def test_a_warm_up_is_a_number_of_steps_or_below_one_a_fraction(warmup: float, steps: int, wanted: int) -> None:
    assert warmup_steps(warmup, steps) == wanted


@given(st.floats(0, 1e6), st.integers(0, 10_000))
def test_a_warm_up_is_never_longer_than_the_run(warmup: float, steps: int) -> None:
    assert 0 <= warmup_steps(warmup, steps) <= steps
