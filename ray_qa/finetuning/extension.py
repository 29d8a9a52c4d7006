"""Training a finished model further: its plan grows, and what it has learnt so far stays."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from ray_qa.errors import ConfigError
from ray_qa.finetuning.config import FinetuneConfig
from ray_qa.finetuning.output import TrainingPlan

LENGTH = ("epochs", "max_steps")


def with_what_the_run_had(config: FinetuneConfig, earlier: TrainingPlan) -> FinetuneConfig:
    """The settings of an extension: ``epochs`` and ``schedule`` are as the run has them, unless they are given.

    Raises:
        ConfigError: if no schedule is given, and the run's has come to its end.
    """
    kept = {name: earlier.settings[name] for name in ("epochs", "schedule") if name not in config.model_fields_set}
    asked = config.model_copy(update=kept)
    schedule = earlier.settings["schedule"]
    if "schedule" in kept and schedule != "constant" and _lengths(asked) != _lengths_of(earlier):
        raise ConfigError(
            f"`schedule` must be given to extend a run whose {schedule} schedule has ended at zero: constant goes on "
            "at `learning_rate`; linear and cosine jump up to where a run of the new length would be"
        )
    return asked


def extended(config: FinetuneConfig, earlier: TrainingPlan, *, steps: int | None) -> TrainingPlan:
    """The plan of a run with more epochs or steps than it had; the same plan where it has been extended already.

    Args:
        config: the settings, with what the run had.
        earlier: the plan of the run.
        steps: how many steps it took; ``None`` where it has not come to its end.

    Raises:
        ConfigError: if there is no finished run, or nothing by which it would be longer.
    """
    wanted: dict[str, Any] = {name: getattr(config, name) for name in (*LENGTH, "schedule")}
    before = {name: earlier.settings[name] for name in wanted}
    if wanted == before:
        return earlier
    if steps is None:
        raise ConfigError(
            f"`extend` must be given for a finished run, but {config.output} is not; run its own command to the end"
        )
    shorter = any(_as_number(wanted[name]) < _as_number(before[name]) for name in LENGTH)
    if shorter or _lengths(config) == _lengths_of(earlier) or _as_number(config.max_steps) <= steps:
        raise ConfigError(
            f"`extend` must come with more `epochs` or `max_steps` than the run had ({_length(before)}; "
            f"{steps:,} steps), but there are {_length(wanted)}"
        )
    return replace(earlier, settings=earlier.settings | wanted)


def extension_in_words(before: TrainingPlan, after: TrainingPlan) -> str:
    """What becomes of the run, and of its learning rate, in one line."""
    schedule = after.settings["schedule"]
    rate = (
        "the learning rate stays at its highest"
        if schedule == "constant"
        else f"the learning rate jumps up to where a {schedule} schedule of the new length would be"
    )
    return f"the run is extended from {_length(before.settings)} to {_length(after.settings)}; {rate}"


def _length(settings: dict[str, Any]) -> str:
    limit = f", at most {settings['max_steps']:,} steps" if settings["max_steps"] else ""
    return f"{settings['epochs']:,} epoch{'s'[: settings['epochs'] != 1]}{limit}"


def _lengths(config: FinetuneConfig) -> list[int | None]:
    return [getattr(config, name) for name in LENGTH]


def _lengths_of(plan: TrainingPlan) -> list[int | None]:
    return [plan.settings[name] for name in LENGTH]


def _as_number(value: int | None) -> float:
    return math.inf if value is None else value
