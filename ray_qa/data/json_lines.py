"""Files with a JSON value a line."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

from ray_qa.data.unpacking import open_plain
from ray_qa.errors import first_line

LONGEST_FIRST_LINE = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonLine:
    """What stands in a line, counted from 1."""

    number: int
    value: object
    size: int
    """In bytes."""
    broken: str = ""
    """Why the line is no JSON, if it is none; ``value`` is its text then."""


def read_json_lines(path: str, setting: str) -> Iterator[JsonLine]:
    """The lines of a file, in order, without those that are blank.

    Raises:
        OSError: if it cannot be read.
        StorageError: if its store cannot be reached, or lets us not in.
    """
    with closing(open_plain(path, setting)) as stream:
        for number, line in enumerate(stream, start=1):
            if number == 1:
                line = line.removeprefix(codecs.BOM_UTF8)
            if not line.strip():
                continue
            try:
                yield JsonLine(number=number, value=json.loads(line.decode()), size=len(line))
            except (ValueError, RecursionError) as error:
                text = line.decode(errors="replace").strip()
                yield JsonLine(number=number, value=text, size=len(line), broken=_why(error))


def _why(error: Exception) -> str:
    """What is wrong, without the decoder's count of lines, for which there is but one."""
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg}, character {error.pos + 1:,}"
    return first_line(error)


def has_an_object_a_line(path: str, setting: str) -> bool:
    """Whether a file's first line is a JSON object by itself, and no SQuAD JSON."""
    try:
        with closing(open_plain(path, setting)) as stream:
            first = b""
            while not first and (line := stream.readline(LONGEST_FIRST_LINE)):
                first = line.removeprefix(codecs.BOM_UTF8).strip()
            value = json.loads(first)
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(value, dict) and "data" not in value
