"""Training a finished model further: its plan grows, and what it has learnt so far stays."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from ray_qa.errors import ConfigError
from ray_qa.finetuning.config import FinetuneConfig
from ray_qa.finetuning.output import TrainingPlan

LENGTH = ("epochs", "max_steps")


def with_the_runs_schedule(config: FinetuneConfig, earlier: TrainingPlan) -> FinetuneConfig:
    """The settings of an extension: the learning rate is as the run has it, unless ``schedule`` is given.

    Raises:
        ConfigError: if it is not, and the run's has come to its end.
    """
    if "schedule" in config.model_fields_set:
        return config
    schedule = earlier.settings["schedule"]
    if schedule != "constant" and any(getattr(config, name) != earlier.settings[name] for name in LENGTH):
        raise ConfigError(
            f"`schedule` must be given to extend a run whose {schedule} schedule has ended at zero: constant goes on "
            "at `learning_rate`; linear and cosine jump up to where a run of the new length would be"
        )
    return config.model_copy(update={"schedule": schedule})


def extended(config: FinetuneConfig, earlier: TrainingPlan, *, finished: bool) -> TrainingPlan:
    """The plan of a run with more epochs or steps than it had; the same plan where it has been extended already.

    Raises:
        ConfigError: if there is no finished run, or nothing by which it would be longer.
    """
    wanted: dict[str, Any] = {name: getattr(config, name) for name in (*LENGTH, "schedule")}
    before = {name: earlier.settings[name] for name in wanted}
    if wanted == before:
        return earlier
    if not finished:
        raise ConfigError(
            f"`extend` must be given for a finished run, but {config.output} is not; run its own command to the end"
        )
    longer = [_as_number(wanted[name]) - _as_number(before[name]) for name in LENGTH if wanted[name] != before[name]]
    if not longer or min(longer) < 0:
        raise ConfigError(
            f"`extend` must come with more `epochs` or `max_steps` than the run had ({_length(before)}), but there are "
            f"{_length(wanted)}"
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


def _as_number(value: int | None) -> float:
    return math.inf if value is None else value
