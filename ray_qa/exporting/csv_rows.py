"""CSV as RFC 4180 has it: a line of names, then one of each row, nested values as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from ray_qa.exporting.json_values import json_values
from ray_qa.runs.annotated_rows import Source, batches
from ray_qa.runs.live_line import counted
from ray_qa.runs.log import notice

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a text begins that spreadsheets take for a formula."""


def csv_lines(source: Source, columns: Sequence[str]) -> Iterator[str]:
    """The lines, which end in CRLF; null is nothing at all, an empty text is ``""``.

    Texts stay as they are. Where some begin as formulas do, that is said at the end.
    """
    formulas = 0
    yield _line(map(quoted, columns))
    for batch in batches(source, columns):
        values = [json_values(batch.column(name), name) for name in columns]
        formulas += sum(isinstance(value, str) and value.startswith(FORMULA) for column in values for value in column)
        for row in zip(*values, strict=True):
            line = _line(map(cell, row))
            yield line if line != "\r\n" else '""\r\n'
    if formulas:
        notice(
            f"{counted(formulas, 'text')} begin with = + - or @, as formulas do in spreadsheets; they are left as they "
            "are: import them as text",
        )


def cell(value: object) -> str:
    """A value between two commas."""
    if value is None:
        return ""
    if isinstance(value, str):
        return quoted(value)
    if type(value) in (int, float):
        return repr(value)
    return quoted(json.dumps(value, ensure_ascii=False, allow_nan=False))


def quoted(text: str) -> str:
    """A text in quotes where it would not stand for itself without."""
    # Plain searches: one regular expression for all of this takes several times as long over a context.
    stands = '"' not in text and "," not in text and "\n" not in text and "\r" not in text
    if stands and text and text == text.strip():
        return text
    return '"' + text.replace('"', '""') + '"'


def _line(cells: Iterator[str]) -> str:
    return ",".join(cells) + "\r\n"
