"""The rows whose answers became better or worse from one set of predictions to another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ray_qa.data.gold import GoldRows
from ray_qa.data.schemas import texts
from ray_qa.judging.judged_rows import JudgedRows
from ray_qa.judging.predictions import Predictions, prediction_tables
from ray_qa.metrics.comparison import PairedDifference, paired_difference

MOST_CHANGES = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A row that two sets of predictions answer with other success."""

    id: str
    question: str | None
    gold: tuple[str, ...]
    answer: str
    """Of the predictions."""
    other: str
    """Of those that they are compared to."""
    f1: float
    """Of the predictions, in percent, as is what follows."""
    other_f1: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How predictions differ from others on the gold rows that both have."""

    compared_to: str
    rows: int
    exact: PairedDifference
    """In percentage points."""
    f1: PairedDifference
    """In percentage points."""
    changed: int
    """Rows whose exact match or F1 is another."""
    changes: tuple[Change, ...]
    """Those in which the predictions lost most first; at most ``MOST_CHANGES``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """Predictions, and how right they are."""

    predictions: Predictions
    rows: JudgedRows


def compare(side: Side, other: Side, gold: GoldRows, seed: int) -> Comparison | None:
    """Compare predictions of the same gold rows; nothing where they share no row.

    Raises:
        InputError: if a part cannot be read.
    """
    both = np.flatnonzero(side.rows.is_present_N & other.rows.is_present_N)
    if not len(both):
        return None
    ours, theirs = side.rows.where(both), other.rows.where(both)
    gained_N = ours.f1_N - theirs.f1_N
    worst = np.lexsort((ours.exact_N.astype(int) - theirs.exact_N, gained_N))
    is_changed = (gained_N != 0) | (ours.exact_N != theirs.exact_N)
    chosen = worst[is_changed[worst]]
    return Comparison(
        compared_to=other.predictions.path,
        rows=len(both),
        exact=paired_difference(100 * ours.exact_N, 100 * theirs.exact_N, ours.context_N, seed=seed),
        f1=paired_difference(100 * ours.f1_N, 100 * theirs.f1_N, ours.context_N, seed=seed),
        changed=len(chosen),
        changes=tuple(_changes(side, other, gold, both[chosen[:MOST_CHANGES]])),
    )


def _changes(side: Side, other: Side, gold: GoldRows, at: Any) -> Sequence[Change]:
    answers = _texts(side, "answer", at)
    others = _texts(other, "answer", at)
    questions = _texts(side, side.predictions.question_column, at)
    return [
        Change(
            id=gold.ids[int(place)].as_py(),
            question=questions.get(int(side.rows.row_N[place])),
            gold=tuple(gold.texts[int(place)].as_py()),
            answer=answers.get(int(side.rows.row_N[place])) or "",
            other=others.get(int(other.rows.row_N[place])) or "",
            f1=100 * float(side.rows.f1_N[place]),
            other_f1=100 * float(other.rows.f1_N[place]),
        )
        for place in at
    ]


def _texts(side: Side, column: str, at: Any) -> Mapping[int, str | None]:
    """The texts of a column in the rows of the predictions that belong to some gold rows."""
    name = side.predictions.ours(column) if column == "answer" else column
    if not side.predictions.has(name):
        return {}
    wanted, row = np.unique(side.rows.row_N[at]), 0
    found: dict[int, str | None] = {}
    for table in prediction_tables(side.predictions, [name]):
        own = wanted[(wanted >= row) & (wanted < row + table.num_rows)]
        found.update(zip(own.tolist(), texts(table[name].take(own - row)), strict=True))
        row += table.num_rows
    return found
