"""Validation errors in our own words: `x` must be …, but is …; one line each, with the dotted path."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

_EXPECTATIONS = {
    "greater_than": "greater than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "string_type": "a text",
    "string_too_short": "given",
    "too_short": "given",
    "tuple_type": "a list",
    "literal_error": "{expected}",
}


def explain(error: ValidationError, kind: type[BaseModel]) -> list[str]:
    """One line for every setting that is wrong, in the order of the settings."""
    lines: dict[str, list[str]] = {}
    for detail in error.errors():
        path = _path(detail["loc"])
        lines.setdefault(path, []).append(_line(path, detail, kind))
    # A union reports once for each of its members: "auto" or a number.
    return [found[0] if len(found) == 1 else _union_line(path, found) for path, found in lines.items()]


def unknown_setting(name: str, names: Sequence[str], where: str = "") -> str:
    """What to say of a setting that is none of ``names``, and ``where`` it is."""
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"did you mean `{near[0]}`?" if near else f"there are: {', '.join(names)}"
    return f"`{name}`{where} must be a setting, but is unknown; {hint}"


def _path(location: tuple[int | str, ...]) -> str:
    """The setting and what is inside it, dotted, without the names pydantic gives to the members of a union."""
    inner = [str(part) for part in location[1:]]
    members = ("literal", "constrained", "int", "float", "tuple")
    return ".".join([*map(str, location[:1]), *(part for part in inner if not part.startswith(members))])


def _line(path: str, detail: Mapping[str, Any], kind: type[BaseModel]) -> str:
    if detail["type"] == "value_error":
        return str(detail["ctx"]["error"])
    if detail["type"] == "missing":
        return f"`{path}` must be given, but is missing"
    if detail["type"] == "extra_forbidden":
        return unknown_setting(path, [field.alias or name for name, field in kind.model_fields.items()])
    expected = _EXPECTATIONS.get(detail["type"])
    if expected is None:
        return f"`{path}` must be valid, but is {detail['input']!r}: {detail['msg']}"
    found = "empty" if detail["type"] in ("string_too_short", "too_short") else _shown(detail["input"])
    return f"`{path}` must be {expected.format(**detail.get('ctx', {}))}, but is {found}"


def _shown(value: object) -> str:
    """A value as the user wrote it: flags give numbers as texts."""
    return value if isinstance(value, str) and re.fullmatch(r"[-+]?\d+(\.\d+)?", value) else repr(value)


def _union_line(path: str, lines: list[str]) -> str:
    """Join the expectations of several members about one setting."""
    expectations = [line.partition(" must be ")[2].rpartition(", but is ")[0] for line in lines]
    found = lines[0].rpartition(", but is ")[2]
    return f"`{path}` must be {' or '.join(dict.fromkeys(expectations))}, but is {found}"
