"""The official SQuAD JSON: articles of paragraphs of questions, flattened to rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

from ray_qa.data.json_streams import items_of
from ray_qa.data.unpacking import open_plain
from ray_qa.errors import InputError, first_line
from ray_qa.storage.places import read
from ray_qa.storage.remote import place_of


@dataclass(frozen=True, slots=True, kw_only=True)
class SquadRow:
    """One question as the file has it; the values are still to be checked."""

    id: object
    question: object
    context: object
    answers: list[Any]
    """``{"text": …, "answer_start": …}`` for each gold answer; none where unanswerable."""
    title: object = field(default=None, compare=False)
    """Of the article."""

    def as_flat(self) -> dict[str, object]:
        """As a row of a table has it: the answers as two lists."""
        pairs = [answer if isinstance(answer, dict) else {} for answer in self.answers]
        lists = {name: [pair.get(name) for pair in pairs] for name in ("text", "answer_start")}
        return {
            "id": self.id,
            "title": self.title,
            "question": self.question,
            "context": self.context,
            "answers": lists,
        }


def read_squad_json(path: str, setting: str, *, needs_answers: bool = True) -> Iterator[SquadRow]:
    """Read the rows of a file, in order, an article at a time.

    Args:
        path: the file, compressed or not.
        setting: what it was given as.
        needs_answers: whether each question must have a list of answers.

    Raises:
        InputError: about ``setting``, if the file cannot be read or has another form.
    """
    with _refusing(path, setting, "SQuAD JSON or Parquet"), closing(open_plain(path, setting)) as stream:
        articles = items_of(stream, "data")
        if articles is None:
            raise InputError(f"`{setting}` must be SQuAD JSON, but {path} has no list 'data'")
        for a, article in enumerate(articles):
            yield from _rows_of_article(article, f"data[{a}]", path, setting, needs_answers)


def _rows_of_article(article: object, at: str, path: str, setting: str, needs_answers: bool) -> Iterator[SquadRow]:
    for p, paragraph in enumerate(_items(article, "paragraphs", setting, f"{at} of {path}")):
        place = f"{at}.paragraphs[{p}]"
        for q, question in enumerate(_items(paragraph, "qas", setting, f"{place} of {path}")):
            without = not needs_answers and isinstance(question, dict) and "answers" not in question
            answers = [] if without else _items(question, "answers", setting, f"{place}.qas[{q}] of {path}")
            yield SquadRow(
                id=question.get("id"),
                title=article.get("title") if isinstance(article, dict) else None,
                question=question.get("question"),
                context=paragraph.get("context"),
                answers=answers,
            )


def load_json(
    path: str, setting: str, kind: str, read_object: Callable[[list[tuple[str, Any]]], object] = dict
) -> object:
    """Read a whole JSON file.

    Args:
        path: the file.
        setting: what the error is about.
        kind: what the setting must be.
        read_object: makes an object of its pairs.

    Raises:
        InputError: if it cannot be read, or is not JSON.
    """
    with _refusing(path, setting, kind):
        return json.loads(read(place_of(path, setting)).decode("utf-8-sig"), object_pairs_hook=read_object)


@contextmanager
def _refusing(path: str, setting: str, kind: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"`{setting}` must be {kind}, but {path} cannot be read: {first_line(error)}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"`{setting}` must be {kind}, but {path} is not JSON: {first_line(error)}") from error


def _items(node: object, name: str, setting: str, where: str) -> list[Any]:
    items = node.get(name) if isinstance(node, dict) else None
    if not isinstance(items, list):
        raise InputError(f"`{setting}` must be SQuAD JSON, but {where} has no list {name!r}")
    return items
