"""The ``ray-qa`` command: picks the command, loads only what it needs, turns errors into exit codes."""

from __future__ import annotations

import errno
import os
import re
import signal
import sys
from collections.abc import Sequence

from ray_qa.cli.commands import COMMANDS
from ray_qa.cli.stopping import run_stoppable
from ray_qa.errors import RayQaError, first_line, full_disk
from ray_qa.runs.log import as_logged, log_as, log_error, logged, wants_json

_LIST = "\n".join(f"  {name:<9}  {command.about}" for name, command in COMMANDS.items())
USAGE = f"""\
usage: ray-qa COMMAND [--help] [OPTIONS]

Distributed extractive question answering.

commands:
{_LIST}

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
    name, *rest = arguments
    if name == "--completion":
        return _complete(rest)
    if name in ("-h", "--help", "--version"):
        print(_version() if name == "--version" else USAGE.rstrip())
        return 0
    known = name in COMMANDS
    with logged(name if known else "", "json" if _asks_for_json(rest) else "text"):
        if not known:
            log_error(f"the command must be one of {', '.join(COMMANDS)}, but is {name!r}")
            return 2
        return _stoppable(name, rest)


def _asks_for_json(arguments: Sequence[str]) -> bool:
    """Whether the flags do, as they stand: what is wrong with them is to be said so too."""
    return re.search(r"--log[-_]format[ =]json\b", " ".join(arguments)) is not None


def _stoppable(name: str, arguments: Sequence[str]) -> int:
    kept = COMMANDS[name].kept
    farewell = f"stopped; {kept}" if kept else "stopped"
    try:
        return run_stoppable(lambda: _carried_out(name, arguments), lambda: as_logged(farewell))
    except RayQaError as error:
        return _refused(error)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return _refused(full_disk(str(error)))
        if isinstance(error, BrokenPipeError) or not wants_json():
            raise
        log_error(first_line(error), error)
        return 1


def _carried_out(name: str, arguments: Sequence[str]) -> int:
    from ray_qa.cli.parser import parse

    command = COMMANDS[name]
    config = parse(command.settings_kind(), f"ray-qa {name}", arguments)
    # Commands that say little have neither setting.
    log_as(getattr(config, "log_format", "text"), quiet=getattr(config, "quiet", False))
    return command.run(config)


def _refused(error: RayQaError) -> int:
    for problem in error.problems:
        log_error(problem)
    return 2


def _version() -> str:
    from importlib.metadata import version

    return f"ray-qa {version('ray_qa')}"


def _complete(arguments: Sequence[str]) -> int:
    from ray_qa.cli.completion import SHELLS, completion_script

    if len(arguments) != 1 or arguments[0] not in SHELLS:
        print(
            f"ray-qa: --completion must be one of {', '.join(SHELLS)}, but is {' '.join(arguments)!r}", file=sys.stderr
        )
        return 2
    print(completion_script(arguments[0], {name: command.settings_kind() for name, command in COMMANDS.items()}))
    return 0
