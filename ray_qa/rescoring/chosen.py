"""What is chosen: the rule that makes the new outcomes, by a setting, a calibration, or a promise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ray_qa.errors import InputError
from ray_qa.reader.calibration import as_settings, check_is_of, decision_by, from_settings, read_calibration
from ray_qa.rescoring.config import RescoreConfig
from ray_qa.rescoring.outcomes import Rule
from ray_qa.rescoring.promise import PromiseMade, make_promise
from ray_qa.runs.annotated_rows import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The rule, and what is promised of it."""

    rule: Rule
    promise: PromiseMade | None = None

    def as_settings(self) -> dict[str, Any]:
        """The settings that a plan of annotate by this rule has."""
        return as_settings(self.rule.decision) | {"always_answer": self.rule.always_answer}


def rule_of(settings: Mapping[str, Any]) -> Rule:
    """The rule that an output was made by, from its plan's settings."""
    return Rule(decision=from_settings(settings), always_answer=bool(settings.get("always_answer", False)))


def choose(config: RescoreConfig, source: Source) -> Chosen:
    """The rule that the settings ask for; what they leave open stays as it was.

    Raises:
        InputError, ModelError: if there is no calibration, or it is of another model; or gold rows do not support what
            is to be promised.
    """
    decision = rule_of(source.output.settings).decision
    if config.calibration is not None:
        calibration = read_calibration(config.calibration, "calibration")
        if calibration is None:
            raise InputError(
                f"`calibration` must be a file that calibrate wrote, but {config.calibration} is not there"
            )
        check_is_of(calibration, source.output.weights_sha256, config.calibration)
        decision = decision_by(calibration)
    promise = None if config.target_precision is None else make_promise(config, source)
    if promise is not None:
        decision = replace(decision, null_threshold=promise.null_threshold)
    if config.null_threshold is not None:
        decision = replace(decision, null_threshold=config.null_threshold)
    return Chosen(rule=Rule(decision=decision, always_answer=config.always_answer), promise=promise)
