"""Distributed extractive question answering for people who annotate whole corpora.

Names load what they need when they are first used, so importing the package is cheap.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ray_qa.annotation.annotate import annotate as annotate
    from ray_qa.annotation.config import AnnotateConfig as AnnotateConfig
    from ray_qa.annotation.summary import RunSummary as RunSummary
    from ray_qa.calibration.calibrate import calibrate as calibrate
    from ray_qa.calibration.config import CalibrateConfig as CalibrateConfig
    from ray_qa.calibration.report import CalibrationReport as CalibrationReport
    from ray_qa.errors import RayQaError as RayQaError
    from ray_qa.evaluation.config import EvaluateConfig as EvaluateConfig
    from ray_qa.evaluation.evaluate import evaluate as evaluate
    from ray_qa.exporting.config import ExportConfig as ExportConfig
    from ray_qa.exporting.export import ExportSummary as ExportSummary
    from ray_qa.exporting.export import export as export
    from ray_qa.finetuning.config import FinetuneConfig as FinetuneConfig
    from ray_qa.finetuning.finetune import finetune as finetune
    from ray_qa.finetuning.summary import FinetuneSummary as FinetuneSummary
    from ray_qa.preparation.config import PrepareConfig as PrepareConfig
    from ray_qa.preparation.prepare import prepare as prepare
    from ray_qa.preparation.summary import PreparedSummary as PreparedSummary
    from ray_qa.reader.inspection import Inspection as Inspection
    from ray_qa.reader.reader import Reader as Reader
    from ray_qa.records import Answer as Answer
    from ray_qa.records import Mention as Mention
    from ray_qa.records import Row as Row
    from ray_qa.records import Span as Span
    from ray_qa.reporting.config import ReportConfig as ReportConfig
    from ray_qa.reporting.report import ReportSummary as ReportSummary
    from ray_qa.reporting.report import report as report
    from ray_qa.rescoring.config import RescoreConfig as RescoreConfig
    from ray_qa.rescoring.rescore import rescore as rescore
    from ray_qa.rescoring.summary import RescoreSummary as RescoreSummary
    from ray_qa.sampling.config import SampleConfig as SampleConfig
    from ray_qa.sampling.sample import SampleSummary as SampleSummary
    from ray_qa.sampling.sample import sample as sample
    from ray_qa.settings import ReadingSettings as ReadingSettings

_HOMES = {
    "AnnotateConfig": "ray_qa.annotation.config",
    "Answer": "ray_qa.records",
    "CalibrateConfig": "ray_qa.calibration.config",
    "CalibrationReport": "ray_qa.calibration.report",
    "EvaluateConfig": "ray_qa.evaluation.config",
    "ExportConfig": "ray_qa.exporting.config",
    "ExportSummary": "ray_qa.exporting.export",
    "FinetuneConfig": "ray_qa.finetuning.config",
    "FinetuneSummary": "ray_qa.finetuning.summary",
    "Inspection": "ray_qa.reader.inspection",
    "Mention": "ray_qa.records",
    "PrepareConfig": "ray_qa.preparation.config",
    "PreparedSummary": "ray_qa.preparation.summary",
    "RayQaError": "ray_qa.errors",
    "Reader": "ray_qa.reader.reader",
    "ReadingSettings": "ray_qa.settings",
    "RescoreConfig": "ray_qa.rescoring.config",
    "RescoreSummary": "ray_qa.rescoring.summary",
    "ReportConfig": "ray_qa.reporting.config",
    "ReportSummary": "ray_qa.reporting.report",
    "Row": "ray_qa.records",
    "RunSummary": "ray_qa.annotation.summary",
    "SampleConfig": "ray_qa.sampling.config",
    "SampleSummary": "ray_qa.sampling.sample",
    "Span": "ray_qa.records",
    "annotate": "ray_qa.annotation.annotate",
    "calibrate": "ray_qa.calibration.calibrate",
    "evaluate": "ray_qa.evaluation.evaluate",
    "export": "ray_qa.exporting.export",
    "finetune": "ray_qa.finetuning.finetune",
    "prepare": "ray_qa.preparation.prepare",
    "rescore": "ray_qa.rescoring.rescore",
    "report": "ray_qa.reporting.report",
    "sample": "ray_qa.sampling.sample",
}

__all__ = sorted(_HOMES)  # one list of names, tested against the imports above


def __dir__() -> list[str]:
    return __all__


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'ray_qa' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
