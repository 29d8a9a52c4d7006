"""Rows with gold answers from JSON: objects of any kind, brought into one form or called malformed."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from reprlib import repr as short_repr
from typing import Any

import pyarrow as pa

from ray_qa.data.example_schema import CHUNK_ROWS, SCHEMA, Chunk, ExampleColumns, Malformed, MalformedRow, Setting
from ray_qa.data.schemas import is_unicode
from ray_qa.errors import InputError, listed


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonRow:
    """A value as its file has it, still to be checked."""

    where: str
    """For people: a line or a row, counted from 1."""
    value: object
    broken: bool = False
    """Whether ``value`` is what a line says that is no JSON."""


def chunks_of_rows(rows: Iterable[JsonRow], columns: ExampleColumns, setting: Setting, where: str) -> Iterator[Chunk]:
    """Rows brought into ``SCHEMA``, ``CHUNK_ROWS`` at a time.

    ``answers`` may be ``{text: [...], answer_start: [...]}``, a list of such pairs, or null.

    Raises:
        InputError: about ``setting``, if none of the first ``CHUNK_ROWS`` rows has a key that all should have.
    """
    numbered = enumerate(rows)
    while some := list(itertools.islice(numbered, CHUNK_ROWS)):
        if some[0][0] == 0:
            _check_keys([row.value for _, row in some], columns, setting, where)
        uniform = [_uniform(row, number, columns) for number, row in some]
        first = next(
            (
                MalformedRow(where=row.where, reason=made["malformed"], found=short_repr(row.value))
                for (_, row), made in zip(some, uniform, strict=True)
                if made["malformed"]
            ),
            None,
        )
        yield Chunk(rows=pa.Table.from_pylist(uniform, schema=SCHEMA), first_malformed=first)


def _check_keys(values: list[object], columns: ExampleColumns, setting: Setting, where: str) -> None:
    objects = [value for value in values if isinstance(value, dict)]
    there = dict.fromkeys(key for value in objects for key in value)
    for name in ("question", "context", "answers"):
        if objects and getattr(columns, name) not in there:
            raise InputError(
                f"`{setting}` must have a key {getattr(columns, name)!r}, but {where} has "
                f"{listed(there) or 'no keys'}; name yours with --{name}-column"
            )


def _uniform(row: JsonRow, number: int, columns: ExampleColumns) -> dict[str, Any]:
    made: dict[str, Any] = dict.fromkeys(SCHEMA.names) | {"id": f"row {number}"}
    if row.broken or not isinstance(row.value, dict):
        return made | {"malformed": "line_not_json" if row.broken else "row_not_object"}
    reasons: list[Malformed] = []
    own_id = row.value.get("id")
    if own_id is not None and is_unicode(str(own_id)):
        made["id"] = str(own_id)
    for name, key in (("question", columns.question), ("context", columns.context)):
        text = row.value.get(key)
        if text is not None and not isinstance(text, str):
            reasons.append("question_not_text" if name == "question" else "context_not_text")
        elif text is not None and not is_unicode(text):
            reasons.append("question_not_unicode" if name == "question" else "context_not_unicode")
        else:
            made[name] = text
    answers = row.value.get(columns.answers)
    if answers is not None:
        made["answers"] = _answers(answers)
        if made["answers"] is None:
            reasons.append("answers_malformed")
    return made | {"malformed": reasons[0] if reasons else None}


def _answers(answers: object) -> dict[str, list[Any]] | None:
    """Answers as lists of texts and places; ``None`` where they are nothing of the kind."""
    if isinstance(answers, list):
        pairs = [answer if isinstance(answer, dict) else {} for answer in answers]
        answers = {name: [pair.get(name) for pair in pairs] for name in ("text", "answer_start")}
    if not isinstance(answers, dict):
        return None
    texts, starts = answers.get("text"), answers.get("answer_start")
    if not isinstance(texts, list) or not isinstance(starts, list) or len(texts) != len(starts):
        return None
    if not all(isinstance(text, str) and is_unicode(text) for text in texts):
        return None
    try:
        return {"text": texts, "answer_start": [_place(start) for start in starts]}
    except ValueError:
        return None


def _place(start: object) -> int | None:
    """A place as an integer; pandas has floats where some are missing.

    Raises:
        ValueError: if it is none.
    """
    if start is None or (isinstance(start, float) and math.isnan(start)):
        return None
    if isinstance(start, bool) or not isinstance(start, int | float) or start != start // 1:
        raise ValueError
    if not -(2**63) <= start < 2**63:
        raise ValueError
    return int(start)
