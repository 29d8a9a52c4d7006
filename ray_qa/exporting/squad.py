"""Predictions as the official SQuAD scripts read them: an object of texts by id, and one of no-answer probabilities."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator

from ray_qa.errors import InputError
from ray_qa.runs.annotated_rows import Source, batches
from ray_qa.runs.row_ids import ids_of


def check_one_answer_a_row(source: Source) -> None:
    """Refuse a wide output: these scripts know one answer for each id.

    Raises:
        InputError: saying what to do.
    """
    if asked := len(source.output.wide):
        raise InputError(
            f"`to` squad must have one answer a row, but {source.output.folder} is wide, with {asked:,} of them; "
            "use jsonl or csv"
        )


def predictions(source: Source, id_column: str, *, spans: bool) -> Iterator[str]:
    """``{id: text}``: the answer, "" where there is none; with ``spans`` the best span of every row that has one."""
    column = source.ours("span" if spans else "answer")
    return _object(
        f"{json.dumps(row_id)}: {json.dumps(text or '')}"
        for batch in batches(source, [id_column, column])
        for row_id, text in zip(ids_of(batch, id_column), batch.column(column).to_pylist(), strict=True)
    )


def na_probs(source: Source, id_column: str) -> Iterator[str]:
    """``{id: 1 / (1 + exp(margin))}``, margin = best span score − null score; 1 for failed rows.

    It is above 0.5 where the null scores higher, and above 1 / (1 + exp(−t)) where that is by more than ``t``: what
    ``null_threshold`` t leaves unanswered.
    """
    names = [source.ours(name) for name in ("start_score", "end_score", "null_score")]
    return _object(
        f"{json.dumps(row_id)}: {no_answer_probability(*scores)!r}"
        for batch in batches(source, [id_column, *names])
        for row_id, *scores in zip(
            ids_of(batch, id_column), *(batch.column(name).to_pylist() for name in names), strict=True
        )
    )


def no_answer_probability(start_score: float | None, end_score: float | None, null_score: float | None) -> float:
    """The logistic function of null score − best span score, without overflow; 1 where there are no scores."""
    if start_score is None or end_score is None or null_score is None:
        return 1.0
    margin = start_score + end_score - null_score
    smaller = math.exp(-abs(margin))
    return (smaller if margin > 0 else 1.0) / (1.0 + smaller)


def _object(members: Iterable[str]) -> Iterator[str]:
    yield "{"
    comma = "\n"
    for member in members:
        yield comma + member
        comma = ",\n"
    yield "\n}\n"
