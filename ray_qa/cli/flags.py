"""The flags of a command: one for each field of its settings' model, with what ``--help`` says of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from ray_qa.settings import AutoOrCount, Group

NO_BREAK = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """A setting as the command line has it."""

    name: str
    """Of the setting, as YAML has it too."""
    group: Group
    help: str
    """What it says, and what it is unless given, if that is anything."""
    metavar: str
    """What kind of value it takes; nothing for a switch."""
    default: Any
    is_switch: bool
    is_list: bool
    choices: tuple[str, ...]
    """All values that it can have, where these have names."""

    @property
    def spelled(self) -> str:
        """As it is typed."""
        return f"--{self.name.replace('_', '-')}"


def flags_of(kind: type[BaseModel]) -> list[Flag]:
    """The flags of a command, group by group; within each as the settings stand in the model."""
    flags = [_flag(field.alias or name, field) for name, field in kind.model_fields.items()]
    return sorted(flags, key=lambda flag: list(Group).index(flag.group))


def _flag(name: str, field: FieldInfo) -> Flag:
    is_list = field.annotation == tuple[str, ...]
    return Flag(
        name=name,
        group=Group.REQUIRED if field.is_required() else _group(name, field),
        help=f"{field.description}{_unless_given(field)}",
        metavar=_metavar(field, is_list),
        default=field.default,
        is_switch=field.annotation is bool,
        is_list=is_list,
        choices=get_args(field.annotation) if get_origin(field.annotation) is Literal else (),
    )


def _group(name: str, field: FieldInfo) -> Group:
    groups = [mark for mark in field.metadata if isinstance(mark, Group)]
    if len(groups) != 1:
        raise TypeError(f"{name} must be in one group of --help, but is in {len(groups)}")
    return groups[0]


def _metavar(field: FieldInfo, is_list: bool) -> str:
    if is_list:
        return "TEXT [TEXT …]"
    if field.annotation is bool:
        return ""
    if get_origin(field.annotation) is Literal:
        return "{" + ",".join(get_args(field.annotation)) + "}"
    # An optional limited number is a union of an annotated one and None.
    parts = get_args(field.annotation)
    members = [field.annotation, *(get_args(part)[0] if get_origin(part) is Annotated else part for part in parts)]
    if float in members:
        return "NUMBER"
    return "N" if int in members or field.annotation == AutoOrCount else "TEXT"


def _unless_given(field: FieldInfo) -> str:
    default = field.default
    if field.is_required() or default is False or default in (None, "", ()):
        return ""
    shown = f"{default:,}" if isinstance(default, int) else default
    return f" (default:{NO_BREAK}{shown})"
