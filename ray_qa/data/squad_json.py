"""The official SQuAD JSON: articles of paragraphs of questions, flattened to rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

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


def read_squad_json(path: str, setting: str) -> Iterator[SquadRow]:
    """Read the rows of a file, in order.

    Raises:
        InputError: about ``setting``, if the file cannot be read or has another form.
    """
    document = load_json(path, setting, "SQuAD JSON or Parquet")
    for a, article in enumerate(_items(document, "data", setting, path)):
        for p, paragraph in enumerate(_items(article, "paragraphs", setting, f"data[{a}] of {path}")):
            place = f"data[{a}].paragraphs[{p}]"
            for q, question in enumerate(_items(paragraph, "qas", setting, f"{place} of {path}")):
                answers = _items(question, "answers", setting, f"{place}.qas[{q}] of {path}")
                yield SquadRow(
                    id=question.get("id"),
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
    try:
        return json.loads(read(place_of(path, setting)).decode("utf-8-sig"), object_pairs_hook=read_object)
    except OSError as error:
        raise InputError(f"`{setting}` must be {kind}, but {path} cannot be read: {first_line(error)}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"`{setting}` must be {kind}, but {path} is not JSON: {first_line(error)}") from error


def _items(node: object, name: str, setting: str, where: str) -> list[Any]:
    items = node.get(name) if isinstance(node, dict) else None
    if not isinstance(items, list):
        raise InputError(f"`{setting}` must be SQuAD JSON, but {where} has no list {name!r}")
    return items
