"""The commands: what each is called and does, the settings it takes, and what is true where it is stopped."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, TextIO

from ray_qa.runs.log import wants_json

if TYPE_CHECKING:  # loaded with the command that is asked for
    from ray_qa.annotation.config import AnnotateConfig
    from ray_qa.annotation.forecast_config import PlanConfig
    from ray_qa.asking.config import AskConfig, InspectConfig
    from ray_qa.calibration.config import CalibrateConfig
    from ray_qa.cli.demo import DemoConfig
    from ray_qa.evaluation.config import EvaluateConfig
    from ray_qa.exporting.config import ExportConfig
    from ray_qa.finetuning.config import FinetuneConfig
    from ray_qa.preparation.config import PrepareConfig
    from ray_qa.reporting.config import ReportConfig
    from ray_qa.rescoring.config import RescoreConfig
    from ray_qa.sampling.config import SampleConfig
    from ray_qa.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One of the verbs of ``ray-qa``."""

    about: str
    """One line of the usage."""
    settings: str
    """The module and the name of its settings: only those of the command that is asked for are loaded."""
    run: Callable[[Any], int]
    """Carries it out, with its settings, and gives the exit code."""
    kept: str = "what is done is kept, and the same command goes on from there"
    """What is true of its output where it is stopped."""

    def settings_kind(self) -> type[Settings]:
        """The settings that it takes."""
        module, _, name = self.settings.partition(":")
        kind: type[Settings] = getattr(import_module(module), name)
        return kind


def _demo(config: DemoConfig) -> int:
    from ray_qa.cli.demo import demo

    return demo(config)


def _ask(config: AskConfig) -> int:
    from ray_qa.asking.ask import ask

    return ask(config)


def _inspect(config: InspectConfig) -> int:
    from ray_qa.asking.inspect import inspect

    return inspect(config)


def _prepare(config: PrepareConfig) -> int:
    from ray_qa.preparation.prepare import prepare
    from ray_qa.preparation.summary import describe

    summary = prepare(config)
    _print(describe(summary), asdict(summary))
    return 0


def _plan(config: PlanConfig) -> int:
    from ray_qa.annotation.forecast import forecast
    from ray_qa.annotation.forecast_text import as_record, describe

    found = forecast(config)
    _print(describe(found), as_record(found))
    return 0


def _annotate(config: AnnotateConfig) -> int:
    from ray_qa.annotation.annotate import annotate
    from ray_qa.annotation.summary import as_record, describe

    summary = annotate(config)
    _print(describe(summary), as_record(summary))
    return summary.exit_code


def _finetune(config: FinetuneConfig) -> int:
    from ray_qa.finetuning.finetune import finetune
    from ray_qa.finetuning.summary import as_record, describe

    summary = finetune(config)
    _print(describe(summary), as_record(summary))
    return summary.exit_code


def _evaluate(config: EvaluateConfig) -> int:
    from ray_qa.evaluation.evaluate import as_record, evaluate
    from ray_qa.evaluation.table import describe

    report = evaluate(config)
    _print(describe(report), as_record(report))
    return 0


def _calibrate(config: CalibrateConfig) -> int:
    from ray_qa.calibration.calibrate import as_record, calibrate
    from ray_qa.calibration.table import describe

    report = calibrate(config)
    _print(describe(report), as_record(report))
    return 0


def _rescore(config: RescoreConfig) -> int:
    from ray_qa.rescoring.rescore import rescore
    from ray_qa.rescoring.summary import as_record, describe

    summary = rescore(config)
    _print(describe(summary), as_record(summary))
    return 0


def _sample(config: SampleConfig) -> int:
    from ray_qa.sampling.sample import as_record, describe, sample

    summary = sample(config)
    _print_beside(config.output, describe(summary), as_record(summary))
    return 0


def _report(config: ReportConfig) -> int:
    from ray_qa.reporting.report import as_record, describe, report

    summary = report(config)
    _print(describe(summary), as_record(summary))
    return 0


def _export(config: ExportConfig) -> int:
    from ray_qa.exporting.export import as_record, describe, export

    summary = export(config)
    _print_beside(config.output, describe(summary), as_record(summary))
    return 0


def _print(summary: str, record: Mapping[str, Any], file: TextIO | None = None) -> None:
    """What came of it, on standard output unless another file is named."""
    print(json.dumps(record) if wants_json() else summary, file=file)


def _print_beside(output: str, summary: str, record: Mapping[str, Any]) -> None:
    """What came of it, on standard error where standard output is what the rows go to."""
    from ray_qa.outgoing.destination import STANDARD_OUTPUT

    _print(summary, record, sys.stderr if output == STANDARD_OUTPUT else None)


COMMANDS: dict[str, Command] = {
    "demo": Command(
        about="annotate the corpus that comes with the package, and show what comes out",
        settings="ray_qa.cli.demo:DemoConfig",
        run=_demo,
    ),
    "ask": Command(
        about="answer questions from one text, at once",
        settings="ray_qa.asking.config:AskConfig",
        run=_ask,
        kept="",
    ),
    "inspect": Command(
        about="show what goes into the model for one question, and what comes out",
        settings="ray_qa.asking.config:InspectConfig",
        run=_inspect,
        kept="",
    ),
    "prepare": Command(
        about="bring rows of any form into Parquet, and check their gold answers",
        settings="ray_qa.preparation.config:PrepareConfig",
        run=_prepare,
    ),
    "plan": Command(
        about="say what annotating would take, before it is begun",
        settings="ray_qa.annotation.forecast_config:PlanConfig",
        run=_plan,
        kept="",
    ),
    "annotate": Command(
        about="answer every row of a corpus",
        settings="ray_qa.annotation.config:AnnotateConfig",
        run=_annotate,
    ),
    "finetune": Command(
        about="turn an encoder into a reader, on one or many workers",
        settings="ray_qa.finetuning.config:FinetuneConfig",
        run=_finetune,
        kept="what is done is kept, and the same command goes on from the last checkpoint",
    ),
    "evaluate": Command(
        about="judge predictions against gold answers (SQuAD exact match and F1)",
        settings="ray_qa.evaluation.config:EvaluateConfig",
        run=_evaluate,
    ),
    "calibrate": Command(
        about="fit to gold answers when a model is to abstain, and what its confidence stands for",
        settings="ray_qa.calibration.config:CalibrateConfig",
        run=_calibrate,
        kept="",
    ),
    "rescore": Command(
        about="give a finished corpus another threshold, or one that keeps a promise, without a model",
        settings="ray_qa.rescoring.config:RescoreConfig",
        run=_rescore,
    ),
    "sample": Command(
        about="take rows of a corpus for people to review, their answers filled in",
        settings="ray_qa.sampling.config:SampleConfig",
        run=_sample,
        kept="no file is there that is not whole",
    ),
    "report": Command(
        about="make a page of an output: how it went, how sure and how right it is, rows to look at",
        settings="ray_qa.reporting.config:ReportConfig",
        run=_report,
        kept="no page is there that is not whole; give the same command again",
    ),
    "export": Command(
        about="hand answers on: SQuAD predictions, JSONL, CSV, Label Studio, Parquet for the hub",
        settings="ray_qa.exporting.config:ExportConfig",
        run=_export,
        kept="no file is there that is not whole; give the same command again, with --overwrite if a folder was begun",
    ),
}
"""Every command, by its name, in the order in which one meets them."""
