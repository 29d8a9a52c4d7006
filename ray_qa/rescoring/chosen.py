"""What is chosen: the rule that makes the new outcomes, by a setting, a calibration, or a promise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ray_qa.rescoring.config import RescoreConfig
from ray_qa.rescoring.outcomes import Rule
from ray_qa.runs.annotated_rows import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The rule."""

    rule: Rule

    def as_settings(self) -> dict[str, Any]:
        """The settings of annotate that it stands for."""
        rule = self.rule
        return {"null_threshold": rule.null_threshold, "always_answer": rule.always_answer}


def rule_of(settings: Mapping[str, Any]) -> Rule:
    """The rule that an output was made by, from its plan's settings."""
    return Rule(
        null_threshold=float(settings.get("null_threshold") or 0.0),
        always_answer=bool(settings.get("always_answer", False)),
    )


def choose(config: RescoreConfig, source: Source) -> Chosen:
    """The rule that the settings ask for."""
    before = rule_of(source.output.settings)
    if config.always_answer:
        return Chosen(rule=Rule(null_threshold=before.null_threshold, always_answer=True))
    assert config.null_threshold is not None
    return Chosen(rule=Rule(null_threshold=config.null_threshold))
