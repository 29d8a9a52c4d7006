"""Question sets: what is asked of every context of a corpus."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from reprlib import repr as short_repr

import pyarrow as pa

from ray_qa.data.row_forms import ALL, has_suffix
from ray_qa.data.row_streams import stream_rows
from ray_qa.data.schemas import is_unicode, texts
from ray_qa.data.unpacking import open_plain
from ray_qa.errors import InputError, first_line, listed
from ray_qa.records import Question, Row
from ray_qa.settings import ColumnSettings
from ray_qa.storage.remote import place_of

MOST_NAMED = 20


def read_questions(path: str, setting: str = "questions") -> tuple[Question, ...]:
    """Read a set: rows with ``id`` and ``question`` in any form, or a text file with a question a line.

    In a text file a line's number, from 1, is the id; blank lines are passed over, and no line is a comment. Integers
    become text. Of questions that come twice, which cost nothing twice, a warning tells.

    Raises:
        InputError: about ``setting``, if it cannot be read, has no questions, or one has no id, no text, or an id that
            another has too; with all such problems.
    """
    rows = _of_table(path, setting) if has_suffix(path, ALL) else _of_text(path, setting)
    questions: list[Question] = []
    problems: list[str] = []
    first: dict[str, str] = {}
    for where, own_id, text in rows:
        if problem := _problem(own_id, text, first):
            problems.append(f"`{setting}` must have {problem[0]}, but {where} of {path} {problem[1]}")
            continue
        first[str(own_id)] = where
        questions.append(Question(id=str(own_id), text=str(text)))
    if not questions and not problems:
        problems.append(f"`{setting}` must have questions, but {path} has none")
    if problems:
        raise InputError(*problems[:MOST_NAMED])
    _tell_repeated(questions, path, setting)
    return tuple(questions)


def rows_to_read(rows: pa.Table, columns: ColumnSettings, questions: Sequence[Question]) -> list[Row]:
    """The questions and contexts of a table: those of its rows, or all ``questions`` of each context."""
    contexts = texts(rows[columns.context])
    if questions:
        return [Row(question=question.text, context=context) for context in contexts for question in questions]
    pairs = zip(texts(rows[columns.question]), contexts, strict=True)
    return [Row(question=question, context=context) for question, context in pairs]


def _tell_repeated(questions: Sequence[Question], path: str, setting: str) -> None:
    ids: defaultdict[str, list[str]] = defaultdict(list)
    for question in questions:
        ids[question.text].append(question.id)
    if repeated := [f"{short_repr(text)} as {listed(same, 4)}" for text, same in ids.items() if len(same) > 1]:
        logging.getLogger(__name__).warning(
            "`%s` should have every question once, but %s repeats %s; each id gets the same answers",
            setting,
            path,
            listed(repeated, 3),
        )


def _of_table(path: str, setting: str) -> Iterator[tuple[str, object, object]]:
    number = 0
    for table in stream_rows(str(place_of(path, setting)), setting):
        for name in ("id", "question"):
            if table.column_names.count(name) != 1:
                raise InputError(
                    f"`{setting}` must have the columns 'id' and 'question', but {path} has "
                    f"{', '.join(table.column_names) or 'no columns'}"
                )
        for own_id, text in zip(table["id"].to_pylist(), table["question"].to_pylist(), strict=True):
            number += 1
            yield f"row {number:,}", own_id, text


def _of_text(path: str, setting: str) -> Iterator[tuple[str, object, object]]:
    try:
        with closing(open_plain(path, setting)) as stream:
            lines = stream.read().decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise InputError(f"`{setting}` must be in UTF-8, but line {line:,} of {path} is not ({error.reason})") from None
    except OSError as error:
        raise InputError(f"`{setting}` must be a text file or rows, but {path} gives: {first_line(error)}") from error
    yield from ((f"line {number:,}", number, line) for number, line in enumerate(lines, start=1) if line.strip())


def _problem(own_id: object, text: object, first: dict[str, str]) -> tuple[str, str] | None:
    """What a question must have, and what it has instead."""
    if isinstance(own_id, bool) or not isinstance(own_id, str | int) or not str(own_id).strip():
        return "a text or an integer as the id of each question", f"has {short_repr(own_id)}"
    if not isinstance(text, str) or not text.strip():
        return "a text for each question", f"has {short_repr(text)}"
    if not is_unicode(text) or not is_unicode(str(own_id)):
        return "Unicode text", f"has {short_repr(text)}"
    if str(own_id) in first:
        return "every id once", f"repeats {short_repr(own_id)} of {first[str(own_id)]}"
    return None
