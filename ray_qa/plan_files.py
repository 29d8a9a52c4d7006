"""Plans of runs as files: reading one back, and saying how two differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from ray_qa.errors import OutputError, first_line

Plan = TypeVar("Plan")
SHOWN_DIGITS = 12


def read_plan_file(path: Path, form: TypeAdapter[Plan], program: str) -> Plan | None:
    """The plan of an earlier run, if there is one.

    Raises:
        OutputError: if it cannot be understood.
    """
    try:
        return form.validate_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValidationError as error:
        raise OutputError(
            f"{path} must be a plan of this version of {program}, but is not ({first_line(error)}); "
            "name another output, or start again with --overwrite"
        ) from error


def different_digests(what: str, there: str, now: str) -> Iterator[str]:
    """A phrase that names the two where they differ."""
    if there != now:
        yield f"{what} ({there[:SHOWN_DIGITS]} there, {now[:SHOWN_DIGITS]} now)"


def different_settings(there: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """A phrase for every setting that differs, in the order of their names."""
    for name in sorted(there.keys() | now.keys()):
        if there.get(name) != now.get(name):
            yield f"`{name}` ({there.get(name)} there, {now.get(name)} now)"
