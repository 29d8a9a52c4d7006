from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ray_qa.errors import ConfigError
from ray_qa.finetuning.config import FinetuneConfig
from ray_qa.finetuning.extension import extended, extension_in_words, with_what_the_run_had
from ray_qa.finetuning.output import TrainingPlan
from ray_qa.settings import deciding_settings
from tests.unit.finetuning.test_output import PLAN


def config(**settings: Any) -> FinetuneConfig:
    return FinetuneConfig(model="base", train=("rows",), output="out", extend=True, **settings)


def run(**settings: Any) -> TrainingPlan:
    """The plan of a run that has finished."""
    return replace(PLAN, settings=deciding_settings(config(**settings)))


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ({"epochs": 2}, {"epochs": 3}),
        ({"epochs": 2, "max_steps": 10}, {"epochs": 2, "max_steps": 11}),
        ({"epochs": 2, "max_steps": 10}, {"epochs": 2}),
        ({"epochs": 2, "max_steps": 10}, {"epochs": 4, "max_steps": 20}),
    ],
)
def test_a_finished_run_of_a_constant_rate_grows_and_nothing_else_changes(
    before: dict[str, Any], now: dict[str, Any]
) -> None:
    earlier = run(schedule="constant", **before)
    asked = with_what_the_run_had(config(**now), earlier)
    grown = extended(asked, earlier, steps=5)
    assert grown.settings["schedule"] == "constant"
    assert grown == replace(earlier, settings=deciding_settings(asked))


@pytest.mark.parametrize(
    ("before", "now"),
    [
        ({"epochs": 3}, {"epochs": 2}),
        ({"epochs": 2}, {"epochs": 2, "max_steps": 10}),
        ({"epochs": 2, "max_steps": 10}, {"epochs": 4, "max_steps": 9}),
        ({"epochs": 2, "max_steps": 10}, {"epochs": 1, "max_steps": 20}),
        ({"epochs": 2, "max_steps": 5}, {"epochs": 4, "max_steps": 5}),
        ({"epochs": 2}, {"epochs": 3, "max_steps": 5}),
    ],
)
def test_a_run_does_not_become_shorter(before: dict[str, Any], now: dict[str, Any]) -> None:
    earlier = run(schedule="constant", **before)
    with pytest.raises(ConfigError, match=r"^`extend` must come with more `epochs` or `max_steps` than the run had \("):
        extended(with_what_the_run_had(config(**now), earlier), earlier, steps=5)


@pytest.mark.parametrize("ended", ["linear", "cosine"])
def test_a_rate_that_has_ended_at_zero_wants_a_schedule(ended: str) -> None:
    earlier = run(epochs=2, schedule=ended)
    with pytest.raises(ConfigError, match=rf"^`schedule` must be given to extend a run whose {ended} schedule"):
        extended(with_what_the_run_had(config(epochs=3), earlier), earlier, steps=5)
    for schedule in ("constant", "linear", "cosine"):
        grown = extended(config(epochs=3, schedule=schedule), earlier, steps=5)
        assert (grown.settings["epochs"], grown.settings["schedule"]) == (3, schedule)


def test_epochs_that_are_not_given_are_those_of_the_run() -> None:
    earlier = run(epochs=5, max_steps=5, schedule="constant")
    grown = extended(with_what_the_run_had(config(max_steps=9), earlier), earlier, steps=5)
    assert (grown.settings["epochs"], grown.settings["max_steps"]) == (5, 9)


def test_the_same_command_again_goes_on_with_what_has_been_extended() -> None:
    asked = config(epochs=3, schedule="linear")
    grown = extended(asked, run(epochs=2), steps=5)
    assert extended(asked, grown, steps=None) is grown
    again = with_what_the_run_had(config(epochs=3), grown)
    assert extended(again, grown, steps=5) is grown


def test_a_run_that_has_not_ended_is_not_extended() -> None:
    with pytest.raises(ConfigError, match=r"^`extend` must be given for a finished run, but out is not; run its own"):
        extended(config(epochs=3, schedule="constant"), run(epochs=2), steps=None)


def test_what_becomes_of_the_learning_rate_is_told() -> None:
    before = run(epochs=1, schedule="linear")
    said = [
        extension_in_words(before, extended(config(epochs=3, schedule=schedule), before, steps=5))
        for schedule in ("constant", "linear")
    ]
    assert said == [
        "the run is extended from 1 epoch to 3 epochs; the learning rate stays at its highest",
        "the run is extended from 1 epoch to 3 epochs; the learning rate jumps up to where a linear schedule of the "
        "new length would be",
    ]


def test_one_command_goes_on_or_starts_again() -> None:
    with pytest.raises(ConfigError, match="`extend` and `overwrite` must not be given together"):
        config(overwrite=True)
