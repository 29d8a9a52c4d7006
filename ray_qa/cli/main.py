"""The ``ray-qa`` command: picks the command, loads only what it needs, turns errors into exit codes."""

from __future__ import annotations

import errno
import json
import os
import re
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeVar

from ray_qa.cli.stopping import run_stoppable
from ray_qa.errors import RayQaError, first_line, full_disk
from ray_qa.runs.log import as_logged, log_as, log_error, logged, wants_json

if TYPE_CHECKING:  # loaded with the command that is asked for
    from ray_qa.annotation.config import AnnotateConfig
    from ray_qa.annotation.forecast_config import PlanConfig
    from ray_qa.calibration.config import CalibrateConfig
    from ray_qa.evaluation.config import EvaluateConfig
    from ray_qa.finetuning.config import FinetuneConfig
    from ray_qa.preparation.config import PrepareConfig
    from ray_qa.reporting.config import ReportConfig
    from ray_qa.rescoring.config import RescoreConfig

Config = TypeVar(
    "Config",
    "PrepareConfig",
    "PlanConfig",
    "AnnotateConfig",
    "FinetuneConfig",
    "EvaluateConfig",
    "CalibrateConfig",
    "RescoreConfig",
    "ReportConfig",
)

USAGE = """\
usage: ray-qa COMMAND [--help] [OPTIONS]

Distributed extractive question answering.

commands:
  demo       annotate the corpus that comes with the package, and show what comes out
  ask        answer questions from one text, at once
  inspect    show what goes into the model for one question, and what comes out
  prepare    bring rows of any form into Parquet, and check their gold answers
  plan       say what annotating would take, before it is begun
  annotate   answer every row of a corpus
  finetune   turn an encoder into a reader, on one or many workers
  evaluate   judge predictions against gold answers (SQuAD exact match and F1)
  calibrate  fit to gold answers when a model is to abstain, and what its confidence stands for
  rescore    give a finished corpus another threshold, or one that keeps a promise, without a model
  sample     take rows of a corpus for people to review, their answers filled in
  report     make a page of an output: how it went, how sure and how right it is, rows to look at
  export     hand answers on: SQuAD predictions, JSONL, CSV, Label Studio, Parquet for the hub

ray-qa COMMAND --help lists a command's options, with examples; ray-qa --version says which version this is.
ray-qa --completion bash prints what makes a shell complete all of them (bash, zsh or fish).
Exit codes: 0 done, 1 crashed, 2 bad configuration or input, 3 finished but over --max-failed,
130 stopped by Ctrl-C, 143 by SIGTERM.
"""
_GOES_ON = "what is done is kept, and the same command goes on from there"
_FAREWELLS = {
    "ask": "",
    "inspect": "",
    "plan": "",
    "finetune": "what is done is kept, and the same command goes on from the last checkpoint",
    "calibrate": "",
    "sample": "no file is there that is not whole",
    "report": "no page is there that is not whole; give the same command again",
    "export": "no file is there that is not whole; give the same command again, with --overwrite if a folder was begun",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code."""
    try:
        code = _run(list(sys.argv[1:] if arguments is None else arguments) or ["--help"])
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # Whoever read our output has gone. What is left in the buffer would raise once more as Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE


def _run(arguments: list[str]) -> int:
    command, *rest = arguments
    if command == "--completion":
        return _complete(rest)
    if command in ("-h", "--help", "--version"):
        print(_version() if command == "--version" else USAGE.rstrip())
        return 0
    known = command in _COMMANDS
    with logged(command if known else "", "json" if _asks_for_json(rest) else "text"):
        if not known:
            log_error(f"the command must be one of {', '.join(_COMMANDS)}, but is {command!r}")
            return 2
        return _carried_out(command, rest)


def _asks_for_json(arguments: Sequence[str]) -> bool:
    """Whether the flags do, as they stand: what is wrong with them is to be said so too."""
    return re.search(r"--log[-_]format[ =]json\b", " ".join(arguments)) is not None


def _carried_out(command: str, arguments: Sequence[str]) -> int:
    more = _FAREWELLS.get(command, _GOES_ON)
    farewell = f"stopped; {more}" if more else "stopped"
    try:
        return run_stoppable(lambda: _COMMANDS[command](arguments), lambda: as_logged(farewell))
    except RayQaError as error:
        return _refused(error)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return _refused(full_disk(str(error)))
        if isinstance(error, BrokenPipeError) or not wants_json():
            raise
        log_error(first_line(error), error)
        return 1


def _refused(error: RayQaError) -> int:
    for problem in error.problems:
        log_error(problem)
    return 2


def _version() -> str:
    from importlib.metadata import version

    return f"ray-qa {version('ray_qa')}"


def _prepare(arguments: Sequence[str]) -> int:
    from ray_qa.preparation.config import PrepareConfig

    config = _configured(PrepareConfig, "prepare", arguments)
    from ray_qa.preparation.prepare import prepare
    from ray_qa.preparation.summary import describe

    summary = prepare(config)
    _print(describe(summary), asdict(summary))
    return 0


def _complete(arguments: Sequence[str]) -> int:
    from ray_qa.annotation.config import AnnotateConfig
    from ray_qa.annotation.forecast_config import PlanConfig
    from ray_qa.asking.config import AskConfig, InspectConfig
    from ray_qa.calibration.config import CalibrateConfig
    from ray_qa.cli.completion import SHELLS, completion_script
    from ray_qa.cli.demo import DemoConfig
    from ray_qa.evaluation.config import EvaluateConfig
    from ray_qa.exporting.config import ExportConfig
    from ray_qa.finetuning.config import FinetuneConfig
    from ray_qa.preparation.config import PrepareConfig
    from ray_qa.reporting.config import ReportConfig
    from ray_qa.rescoring.config import RescoreConfig
    from ray_qa.sampling.config import SampleConfig
    from ray_qa.settings import Settings

    if len(arguments) != 1 or arguments[0] not in SHELLS:
        print(
            f"ray-qa: --completion must be one of {', '.join(SHELLS)}, but is {' '.join(arguments)!r}", file=sys.stderr
        )
        return 2
    kinds: dict[str, type[Settings]] = {
        "demo": DemoConfig,
        "ask": AskConfig,
        "inspect": InspectConfig,
        "prepare": PrepareConfig,
        "plan": PlanConfig,
        "annotate": AnnotateConfig,
        "finetune": FinetuneConfig,
        "evaluate": EvaluateConfig,
        "calibrate": CalibrateConfig,
        "rescore": RescoreConfig,
        "sample": SampleConfig,
        "report": ReportConfig,
        "export": ExportConfig,
    }
    print(completion_script(arguments[0], kinds))
    return 0


def _annotate(arguments: Sequence[str]) -> int:
    from ray_qa.annotation.config import AnnotateConfig

    config = _configured(AnnotateConfig, "annotate", arguments)
    from ray_qa.annotation.annotate import annotate
    from ray_qa.annotation.summary import as_record, describe

    summary = annotate(config)
    _print(describe(summary), as_record(summary))
    return summary.exit_code


def _plan(arguments: Sequence[str]) -> int:
    from ray_qa.annotation.forecast_config import PlanConfig

    config = _configured(PlanConfig, "plan", arguments)
    from ray_qa.annotation.forecast import forecast
    from ray_qa.annotation.forecast_text import as_record, describe

    found = forecast(config)
    _print(describe(found), as_record(found))
    return 0


def _finetune(arguments: Sequence[str]) -> int:
    from ray_qa.finetuning.config import FinetuneConfig

    config = _configured(FinetuneConfig, "finetune", arguments)
    from ray_qa.finetuning.finetune import finetune
    from ray_qa.finetuning.summary import as_record, describe

    summary = finetune(config)
    _print(describe(summary), as_record(summary))
    return summary.exit_code


def _evaluate(arguments: Sequence[str]) -> int:
    from ray_qa.evaluation.config import EvaluateConfig
    from ray_qa.evaluation.evaluate import as_record, evaluate
    from ray_qa.evaluation.table import describe

    report = evaluate(_configured(EvaluateConfig, "evaluate", arguments))
    _print(describe(report), as_record(report))
    return 0


def _calibrate(arguments: Sequence[str]) -> int:
    from ray_qa.calibration.config import CalibrateConfig

    config = _configured(CalibrateConfig, "calibrate", arguments)
    from ray_qa.calibration.calibrate import as_record, calibrate
    from ray_qa.calibration.table import describe

    report = calibrate(config)
    _print(describe(report), as_record(report))
    return 0


def _rescore(arguments: Sequence[str]) -> int:
    from ray_qa.rescoring.config import RescoreConfig

    config = _configured(RescoreConfig, "rescore", arguments)
    from ray_qa.rescoring.rescore import rescore
    from ray_qa.rescoring.summary import as_record, describe

    summary = rescore(config)
    _print(describe(summary), as_record(summary))
    return 0


def _report(arguments: Sequence[str]) -> int:
    from ray_qa.reporting.config import ReportConfig

    config = _configured(ReportConfig, "report", arguments)
    from ray_qa.reporting.report import as_record, describe, report

    summary = report(config)
    _print(describe(summary), as_record(summary))
    return 0


def _ask(arguments: Sequence[str]) -> int:
    from ray_qa.asking.config import AskConfig
    from ray_qa.cli.parser import parse

    config = parse(AskConfig, "ray-qa ask", arguments)
    log_as("text", quiet=config.quiet)
    from ray_qa.asking.ask import ask

    return ask(config)


def _inspect(arguments: Sequence[str]) -> int:
    from ray_qa.asking.config import InspectConfig
    from ray_qa.cli.parser import parse

    config = parse(InspectConfig, "ray-qa inspect", arguments)
    from ray_qa.asking.inspect import inspect

    return inspect(config)


def _sample(arguments: Sequence[str]) -> int:
    from ray_qa.cli.parser import parse
    from ray_qa.outgoing.destination import STANDARD_OUTPUT
    from ray_qa.sampling.config import SampleConfig
    from ray_qa.sampling.sample import describe, sample

    config = parse(SampleConfig, "ray-qa sample", arguments)
    summary = sample(config)
    print(describe(summary), file=sys.stderr if config.output == STANDARD_OUTPUT else sys.stdout)
    return 0


def _export(arguments: Sequence[str]) -> int:
    from ray_qa.cli.parser import parse
    from ray_qa.exporting.config import ExportConfig
    from ray_qa.exporting.export import describe, export
    from ray_qa.outgoing.destination import STANDARD_OUTPUT

    config = parse(ExportConfig, "ray-qa export", arguments)
    summary = export(config)
    print(describe(summary), file=sys.stderr if config.output == STANDARD_OUTPUT else sys.stdout)
    return 0


def _demo(arguments: Sequence[str]) -> int:
    from ray_qa.cli.demo import DemoConfig
    from ray_qa.cli.parser import parse

    config = parse(DemoConfig, "ray-qa demo", arguments)
    from ray_qa.cli.demo import demo

    return demo(config)


def _configured(kind: type[Config], command: str, arguments: Sequence[str]) -> Config:
    """The settings of a command; from here on it logs as they say."""
    from ray_qa.cli.parser import parse

    config = parse(kind, f"ray-qa {command}", arguments)
    log_as(config.log_format, quiet=config.quiet)
    return config


def _print(summary: str, record: Mapping[str, Any]) -> None:
    """What came of it, on standard output."""
    print(json.dumps(record) if wants_json() else summary)


_COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "demo": _demo,
    "ask": _ask,
    "inspect": _inspect,
    "prepare": _prepare,
    "plan": _plan,
    "annotate": _annotate,
    "finetune": _finetune,
    "evaluate": _evaluate,
    "calibrate": _calibrate,
    "rescore": _rescore,
    "sample": _sample,
    "report": _report,
    "export": _export,
}
