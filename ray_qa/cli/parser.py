"""Command lines and YAML files to configurations: the flags are the fields of the command's model."""

from __future__ import annotations

import argparse
import dataclasses
import io
import re
from collections.abc import Mapping, Sequence, Set
from contextlib import redirect_stderr
from typing import Annotated, Any, TypeVar

import tyro
import yaml
from pydantic import BaseModel

from ray_qa.cli.flag_mistakes import flag_mistakes
from ray_qa.cli.flags import Flag, flags_of
from ray_qa.cli.help_page import CONFIG_HELP, help_page
from ray_qa.errors import ConfigError, Problems, first_line
from ray_qa.validation_messages import unknown_setting

Config = TypeVar("Config", bound=BaseModel)


def parse(kind: type[Config], program: str, arguments: Sequence[str]) -> Config:
    """Read flags, and the YAML file that ``--config`` names, into a configuration; flags override the file.

    tyro gets a plain record of texts: types and limits are checked by the model, which says in our words what is wrong
    with all of them at once.

    Args:
        kind: the command's model.
        program: what the usage calls it.
        arguments: the command line.

    Raises:
        ConfigError: for flags that are unknown, for settings that are unknown, missing or wrong, and for a file that is
            no YAML mapping.
        SystemExit: after ``--help``.
    """
    if not {"-h", "--help"}.isdisjoint(arguments):
        print(help_page(kind, program))
        raise SystemExit(0)
    flags = flags_of(kind)
    path = _config_path(arguments)
    file_values = _read_yaml(path) if path else {}
    given = _read_flags(flags, program, arguments, file_values)
    values = {**file_values, **given}
    if empty := [flag.name for flag in flags if flag.name in values and values[flag.name] in ((), [])]:
        raise ConfigError(*(f"`{name}` must have a value where it is given, but is empty" for name in empty))
    names = [flag.name for flag in flags]
    problems = Problems()
    with problems.gather():
        config = kind(**{name: value for name, value in values.items() if name in names})
    problems.found += [unknown_setting(name, names, f" in {path}") for name in file_values if name not in names]
    problems.stop_here_if_any()
    return config


def _read_flags(
    flags: Sequence[Flag], program: str, arguments: Sequence[str], file_values: Mapping[str, Any]
) -> dict[str, Any]:
    """The settings that the command line gives."""
    record = _record_of(flags, program, file_values)
    gathered = _gathered(arguments, {flag.name for flag in flags if flag.is_list})
    said = io.StringIO()
    try:
        with redirect_stderr(said):
            read, unknown = tyro.cli(record, prog=program, args=gathered, return_unknown_args=True)
    except SystemExit:
        read, unknown = None, gathered
    if unknown:
        # What tyro draws is for the eye, in many lines; it is said as it is only where we do not see what is wrong.
        in_its_words = " ".join(re.sub("[─│╭╮╰╯]", " ", said.getvalue()).split()) or f"cannot be read: {unknown}"
        raise ConfigError(*(flag_mistakes(arguments, flags, program) or [in_its_words]))
    return {
        field.name: value
        for field in dataclasses.fields(record)
        if field.name != "config" and (value := getattr(read, field.name)) != field.default
    }


def _config_path(arguments: Sequence[str]) -> str | None:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--config")
    try:
        path: str | None = parser.parse_known_args(list(arguments))[0].config
    except argparse.ArgumentError:  # it has no value, which is told with all that is wrong with flags
        return None
    return path


def _gathered(arguments: Sequence[str], lists: Set[str]) -> list[str]:
    """The arguments with all values of a list's flag behind it once, where it is repeated: tyro would take the last.

    ``lists`` are the settings that are lists.
    """
    flags = [argument.partition("=")[0] for argument in arguments]
    values_of: dict[str, list[str]] = {
        flag: [] for name in lists if flags.count(flag := f"--{name.replace('_', '-')}") > 1
    }
    others: list[str] = []
    current = others
    for argument in arguments:
        flag, is_joined, value = argument.partition("=")
        if flag in values_of:
            current = values_of[flag]
            current += [value] if is_joined else []
            continue
        if argument.startswith("--"):
            current = others
        current.append(argument)
    return [*others, *(each for flag, values in values_of.items() for each in (flag, *values))]


def _record_of(flags: Sequence[Flag], name: str, file_values: Mapping[str, Any]) -> type[Any]:
    """What tyro is to fill: ``None`` where a flag is not given."""
    fields = [_field(flag, file_values) for flag in flags]
    return dataclasses.make_dataclass(name, [*fields, ("config", *_text(str, CONFIG_HELP, "FILE"))])


def _field(flag: Flag, file_values: Mapping[str, Any]) -> tuple[str, Any, Any]:
    if not flag.is_switch:
        return (flag.name, *_text(tuple[str, ...] if flag.is_list else str, flag.help, flag.metavar))
    value = file_values.get(flag.name)
    described = Annotated[bool, tyro.conf.arg(help=flag.help, help_behavior_hint="")]
    # Not given, a switch keeps what the file says; what is no switch there is for the model to refuse.
    return flag.name, described, dataclasses.field(default=value if isinstance(value, bool) else flag.default)


def _text(plain: Any, text: str, metavar: str) -> tuple[Any, Any]:
    arg = tyro.conf.arg(help=text, help_behavior_hint="", metavar=metavar)
    return Annotated[plain | None, arg], dataclasses.field(default=None)


class _PlainNumbers(yaml.SafeLoader):
    """YAML 1.1 reads 1:4 as a number to the base of 60; here it is the text that ``replicas`` wants."""


_PlainNumbers.yaml_implicit_resolvers = {
    first: [resolver for resolver in resolvers if resolver[0] != "tag:yaml.org,2002:int"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_PlainNumbers.add_implicit_resolver("tag:yaml.org,2002:int", re.compile(r"[-+]?[0-9]+$"), list("-+0123456789"))


def _in_one_line(error: Exception) -> str:
    """What is wrong, and in which line of a YAML file."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return f"line {error.problem_mark.line + 1}, column {error.problem_mark.column + 1}: {error.problem}"
    return first_line(error)


def _read_yaml(path: str) -> dict[str, Any]:
    from ray_qa.storage.places import read
    from ray_qa.storage.remote import place_of

    try:
        content = yaml.load(read(place_of(path, "config")).decode(), _PlainNumbers)  # a SafeLoader
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(
            f"`config` must be a YAML file that can be read, but {path} gives: {_in_one_line(error)}"
        ) from error
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise ConfigError(f"`config` must be a YAML mapping of settings, but {path} holds something else")
    return content
