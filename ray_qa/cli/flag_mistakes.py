"""What is wrong with the flags of a command line, in our words: unknown ones, no value, too many values."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ray_qa.cli.flags import Flag
from ray_qa.errors import listed

MANY = 1_000_000


@dataclass(slots=True, kw_only=True)
class _Given:
    """A flag as it stands on the command line."""

    spelled: str
    metavar: str | None
    """What it takes; nothing for a switch, ``None`` for a flag that there is not."""
    most: int
    """Values that it takes."""
    values: list[str]


def flag_mistakes(arguments: Sequence[str], flags: Sequence[Flag], program: str) -> list[str]:
    """The mistakes in the arguments of a command, in their order.

    Args:
        arguments: the command line behind the command.
        flags: those that the command has, but for ``--config``.
        program: what the command is called.
    """
    known = {flag.spelled: flag for flag in flags}
    metavars = {name: flag.metavar for name, flag in known.items()} | {"--config": "FILE"}
    metavars |= {f"--no-{name[2:]}": "" for name, flag in known.items() if flag.is_switch}
    lists = {name for name, flag in known.items() if flag.is_list}
    before = _Given(spelled="", metavar="", most=0, values=[])
    read = [before]
    for argument in arguments:
        if not _is_flag(argument):
            read[-1].values.append(argument)
            continue
        name, is_joined, value = argument.partition("=")
        spelled = name.replace("_", "-")
        metavar = metavars.get(spelled)
        most = MANY if metavar is None or spelled in lists else 1 if metavar else 0
        given = _Given(spelled=spelled, metavar=metavar, most=most, values=[value] if is_joined else [])
        read.append(given if metavar is not None else _Given(spelled=name, metavar=None, most=MANY, values=[]))
    return list(_lines(read, list(metavars), program))


def _lines(read: Sequence[_Given], names: Sequence[str], program: str) -> Iterator[str]:
    followers: list[str | None] = [*(each.spelled for each in read[1:]), None]
    for each, follower in zip(read, followers, strict=True):
        extra = " ".join(each.values[each.most :])
        if each.metavar is None:
            near = difflib.get_close_matches(each.spelled, names, n=1)
            hint = f"did you mean `{near[0]}`?" if near else f"{program} --help lists them"
            yield f"`{listed([each.spelled])}` must be a flag of {program}, but is unknown; {hint}"
        elif extra and not each.spelled:
            yield f"every value must follow its flag, but {extra!r:.80} follows none; {program} --help lists the flags"
        elif extra and not each.most:
            yield f"`{each.spelled}` must have no value, but has {extra!r:.80}; leave that out"
        elif extra:
            yield (
                f"`{each.spelled}` must have one value, but {extra!r:.80} follows it; put a text with spaces in quotes"
            )
        elif each.most == 1 and not each.values:
            joined = f"; a value that begins with - is joined to it: {each.spelled}=-…" if follower else ""
            yield f"`{each.spelled}` must have a value ({each.metavar}), but has none{joined}"


def _is_flag(argument: str) -> bool:
    """Whether it is no value: a lone - is standard input, and numbers may be below 0."""
    return re.match(r"-(-|[^\W\d])", argument) is not None
