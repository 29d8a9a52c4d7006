"""The ``ray-qa`` command: picks the command, loads only what it needs, turns errors into exit codes."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable, Sequence

from ray_qa.cli.stopping import run_stoppable
from ray_qa.errors import RayQaError, full_disk

USAGE = """\
usage: ray-qa COMMAND [--help] [OPTIONS]

Distributed extractive question answering.

commands:
  demo       annotate the corpus that comes with the package, and show what comes out
  ask        answer questions from one text, at once
  inspect    show what goes into the model for one question, and what comes out
  annotate   answer every row of a Parquet corpus
  finetune   turn an encoder into a reader, on one or many workers
  evaluate   judge predictions against gold answers (SQuAD exact match and F1)

ray-qa COMMAND --help lists a command's options, with examples; ray-qa --version says which version this is.
ray-qa --completion bash prints what makes a shell complete all of them (bash, zsh or fish).
Exit codes: 0 done, 1 crashed, 2 bad configuration or input, 3 finished but over --max-failed,
130 stopped by Ctrl-C, 143 by SIGTERM.
"""


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
    if command not in _COMMANDS:
        print(f"ray-qa: the command must be one of {', '.join(_COMMANDS)}, but is {command!r}", file=sys.stderr)
        return 2
    farewell = f"ray-qa {command}: stopped"
    if command not in ("ask", "inspect"):
        there = "the last checkpoint" if command == "finetune" else "there"
        farewell += f"; what is done is kept, and the same command goes on from {there}"
    try:
        return run_stoppable(lambda: _COMMANDS[command](rest), farewell)
    except RayQaError as error:
        return _refused(command, error)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        return _refused(command, full_disk(str(error)))


def _version() -> str:
    from importlib.metadata import version

    return f"ray-qa {version('ray_qa')}"


def _complete(arguments: Sequence[str]) -> int:
    from ray_qa.annotation.config import AnnotateConfig
    from ray_qa.asking.config import AskConfig, InspectConfig
    from ray_qa.cli.completion import SHELLS, completion_script
    from ray_qa.cli.demo import DemoConfig
    from ray_qa.evaluation.config import EvaluateConfig
    from ray_qa.finetuning.config import FinetuneConfig
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
        "annotate": AnnotateConfig,
        "finetune": FinetuneConfig,
        "evaluate": EvaluateConfig,
    }
    print(completion_script(arguments[0], kinds))
    return 0


def _refused(command: str, error: RayQaError) -> int:
    for problem in error.problems:
        print(f"ray-qa {command}: {problem}", file=sys.stderr)
    return 2


def _annotate(arguments: Sequence[str]) -> int:
    from ray_qa.annotation.config import AnnotateConfig
    from ray_qa.cli.parser import parse

    config = parse(AnnotateConfig, "ray-qa annotate", arguments)
    from ray_qa.annotation.annotate import annotate
    from ray_qa.annotation.summary import describe

    summary = annotate(config)
    print(describe(summary))
    return summary.exit_code


def _finetune(arguments: Sequence[str]) -> int:
    from ray_qa.cli.parser import parse
    from ray_qa.finetuning.config import FinetuneConfig

    config = parse(FinetuneConfig, "ray-qa finetune", arguments)
    from ray_qa.finetuning.finetune import finetune
    from ray_qa.finetuning.summary import describe

    summary = finetune(config)
    print(describe(summary))
    return summary.exit_code


def _evaluate(arguments: Sequence[str]) -> int:
    from ray_qa.cli.parser import parse
    from ray_qa.evaluation.config import EvaluateConfig
    from ray_qa.evaluation.evaluate import describe, evaluate

    print(describe(evaluate(parse(EvaluateConfig, "ray-qa evaluate", arguments))))
    return 0


def _ask(arguments: Sequence[str]) -> int:
    from ray_qa.asking.config import AskConfig
    from ray_qa.cli.parser import parse

    config = parse(AskConfig, "ray-qa ask", arguments)
    from ray_qa.asking.ask import ask

    return ask(config)


def _inspect(arguments: Sequence[str]) -> int:
    from ray_qa.asking.config import InspectConfig
    from ray_qa.cli.parser import parse

    config = parse(InspectConfig, "ray-qa inspect", arguments)
    from ray_qa.asking.inspect import inspect

    return inspect(config)


def _demo(arguments: Sequence[str]) -> int:
    from ray_qa.cli.demo import DemoConfig
    from ray_qa.cli.parser import parse

    config = parse(DemoConfig, "ray-qa demo", arguments)
    from ray_qa.cli.demo import demo

    return demo(config)


_COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "demo": _demo,
    "ask": _ask,
    "inspect": _inspect,
    "annotate": _annotate,
    "finetune": _finetune,
    "evaluate": _evaluate,
}
