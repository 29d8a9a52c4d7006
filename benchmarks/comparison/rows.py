"""The rows that all contenders answer: short ones as they are, and long ones made by joining passages."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

JOIN = "\n\n"
MOST_BEFORE = 20
"""Passages before a long row's own, at most: answers lie early and late."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A question and the context to answer it from."""

    question: str
    context: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RowSet:
    """Rows that lie in a folder as JSON and as Parquet, whichever a contender reads."""

    name: str
    folder: Path
    pairs: tuple[Pair, ...]


def read_pairs(path: Path) -> list[Pair]:
    """The rows of a Parquet file, their questions without leading spaces, as the well-known procedure has them."""
    table = pq.read_table(path, columns=["question", "context"])
    return [Pair(question=row["question"].lstrip(), context=row["context"]) for row in table.to_pylist()]


def long_pairs(pairs: Sequence[Pair], count: int, characters: int) -> list[Pair]:
    """Questions spread evenly over ``pairs``, each over its own passage among its neighbours.

    Args:
        pairs: questions with their passages.
        count: rows to make.
        characters: length of each context; the last passage is cut to it, a question's own never is.
    """
    passages = list(dict.fromkeys(pair.context for pair in pairs))
    at = {passage: number for number, passage in enumerate(passages)}
    chosen = [pairs[len(pairs) * nth // count] for nth in range(count)]
    return [
        Pair(
            question=pair.question,
            context=_joined(passages, at[pair.context], nth % (MOST_BEFORE + 1), characters),
        )
        for nth, pair in enumerate(chosen)
    ]


def _joined(passages: Sequence[str], own: int, before: int, characters: int) -> str:
    """``characters`` of the passages from ``before`` ahead of ``own`` on, round and round; ``own`` is whole in it."""
    while before and len(JOIN.join(_run(passages, own - before, before + 1))) > characters:
        before -= 1
    count = before + 1
    while len(JOIN.join(_run(passages, own - before, count))) < characters:
        count += 1
    return JOIN.join(_run(passages, own - before, count))[:characters]


def _run(passages: Sequence[str], first: int, count: int) -> list[str]:
    return [passages[(first + nth) % len(passages)] for nth in range(count)]


def write_row_set(folder: Path, name: str, pairs: Sequence[Pair]) -> RowSet:
    """Lay rows down for all contenders."""
    into = folder / name
    into.mkdir(parents=True)
    columns = {
        "question": [pair.question for pair in pairs],
        "context": [pair.context for pair in pairs],
    }
    (into / "rows.json").write_text(json.dumps(columns), encoding="utf-8")
    pq.write_table(pa.table(columns), into / "rows.parquet")
    return RowSet(name=name, folder=into, pairs=tuple(pairs))
