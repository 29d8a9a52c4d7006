"""Distributed extractive question answering for people who annotate whole corpora.

Names load what they need when they are first used, so importing the package is cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ray_qa.config import AnnotateConfig as AnnotateConfig
    from ray_qa.config import EvaluateConfig as EvaluateConfig
    from ray_qa.config import FinetuneConfig as FinetuneConfig
    from ray_qa.config import ReadingSettings as ReadingSettings
    from ray_qa.errors import RayQaError as RayQaError
    from ray_qa.reader import Reader as Reader
    from ray_qa.records import Answer as Answer
    from ray_qa.records import Row as Row
    from ray_qa.records import RunSummary as RunSummary
    from ray_qa.records import Span as Span
    from ray_qa.training_record import FinetuneSummary as FinetuneSummary
    from ray_qa.trips.annotate import annotate as annotate
    from ray_qa.trips.evaluate import evaluate as evaluate
    from ray_qa.trips.finetune import finetune as finetune

_HOMES = {
    "AnnotateConfig": "ray_qa.config",
    "Answer": "ray_qa.records",
    "EvaluateConfig": "ray_qa.config",
    "FinetuneConfig": "ray_qa.config",
    "FinetuneSummary": "ray_qa.training_record",
    "RayQaError": "ray_qa.errors",
    "Reader": "ray_qa.reader",
    "ReadingSettings": "ray_qa.config",
    "Row": "ray_qa.records",
    "RunSummary": "ray_qa.records",
    "Span": "ray_qa.records",
    "annotate": "ray_qa.trips.annotate",
    "evaluate": "ray_qa.trips.evaluate",
    "finetune": "ray_qa.trips.finetune",
}

__all__ = sorted(_HOMES)  # one list of names, tested against the imports above


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'ray_qa' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
