"""Scripts by which shells complete ``ray-qa``: its commands, their flags, names of values, and files."""

from __future__ import annotations

import contextlib
import dataclasses
import io
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Union

import tyro
from pydantic import BaseModel

from ray_qa.cli.flags import Flag, flags_of

SHELLS = ("bash", "zsh", "fish")


def completion_script(shell: str, commands: Mapping[str, type[BaseModel]]) -> str:
    """The script for a shell, made by tyro.

    Args:
        shell: one of ``SHELLS``.
        commands: the settings of each command, by its name.
    """
    members = tuple(
        Annotated[_completed(kind), tyro.conf.subcommand(name, description=kind.__doc__)]
        for name, kind in commands.items()
    )
    any_of_them: Any = Union[members]  # noqa: UP007  # made as the program runs
    script = io.StringIO()
    with contextlib.redirect_stdout(script), contextlib.suppress(SystemExit):
        tyro.cli(
            any_of_them,
            prog="ray-qa",
            args=["--tyro-print-completion", shell],
            config=(tyro.conf.OmitSubcommandPrefixes,),
        )
    return script.getvalue()


def _completed(kind: type[BaseModel]) -> type[Any]:
    """A record whose types say by what flags are completed: texts by names of files, as shells do it anyway."""
    fields = [(flag.name, _type_of(flag), _default_of(flag)) for flag in flags_of(kind)]
    return dataclasses.make_dataclass(kind.__name__, [*fields, ("config", str, dataclasses.field(default=""))])


def _type_of(flag: Flag) -> Any:
    plain: Any = bool if flag.is_switch else Literal[flag.choices] if flag.choices else str
    return Annotated[plain, tyro.conf.arg(help=flag.help.partition(". ")[0])]


def _default_of(flag: Flag) -> Any:
    if flag.is_switch:
        return dataclasses.field(default=flag.default)
    return dataclasses.field(default=flag.choices[0] if flag.choices else "")
