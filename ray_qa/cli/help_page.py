"""What ``ray-qa COMMAND --help`` prints: what must be given, then the other flags group by group, examples last."""

from __future__ import annotations

import inspect
import itertools
import shutil
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from pydantic import BaseModel

from ray_qa.cli.flags import NO_BREAK, Flag, flags_of
from ray_qa.settings import Group

WIDEST, COLUMN = 110, 27
"""Text in longer lines is tiring to read; flags that end before this column share their line with what they do."""
CONFIG_HELP = (
    "YAML file, or its URL in a bucket, with settings under the same names; flags override it, --no-NAME a switch."
)


def help_page(kind: type[BaseModel], program: str) -> str:
    """The page of a command, in the width of the terminal.

    Args:
        kind: its settings; their docstring says what it does, and has examples after the first paragraph.
        program: as it is called.
    """
    width = min(WIDEST, shutil.get_terminal_size().columns)
    flags = flags_of(kind)
    about, _, examples = (inspect.getdoc(kind) or "").partition("\n\n")
    page = [_usage(flags, program, width), textwrap.fill(about, width)]
    for group, members in itertools.groupby(flags, key=lambda flag: flag.group):
        page.append("\n".join([f"{group}:", *_lines(members, width)]))
    page.append("\n".join(["settings from a file:", *_entry("--config FILE", CONFIG_HELP, width)]))
    page.append("\n".join(["examples:", *(f"  {line}" for line in examples.splitlines())]))
    return "\n\n".join(page).replace(NO_BREAK, " ")


def _usage(flags: Sequence[Flag], program: str, width: int) -> str:
    required = [f"{flag.spelled} {flag.metavar}" for flag in flags if flag.group is Group.REQUIRED]
    indent = " " * len(f"usage: {program} ")
    return textwrap.fill(" ".join([f"usage: {program}", *required, "[OPTIONS]"]), width, subsequent_indent=indent)


def _lines(flags: Iterable[Flag], width: int) -> Iterator[str]:
    for flag in flags:
        yield from _entry(f"{flag.spelled} {flag.metavar}".rstrip(), flag.help, width)


def _entry(flag: str, text: str, width: int) -> list[str]:
    """A flag and what it does: beside it where there is room, else below."""
    first = f"  {flag}"
    lines = textwrap.wrap(text, width - COLUMN, break_long_words=False, break_on_hyphens=False)
    beside = lines.pop(0) if len(first) + 2 <= COLUMN else ""
    return [f"{first:<{COLUMN}}{beside}".rstrip(), *(" " * COLUMN + line for line in lines)]
