"""The data card: what annotated rows are and how they were made, for people, with the metadata that the hub reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from ray_qa.data.schemas import ADDED_FIELDS, N_BEST_FIELD
from ray_qa.errors import listed
from ray_qa.runs.cards import filled_in, shown_name

MEANINGS = {
    "answer": "the answer; null unless status is answered",
    "span": "the best span, whether or not it is the answer",
    "start": "where the best span begins in the context",
    "end": "where it ends",
    "start_score": "logit of the span's first token",
    "end_score": "logit of its last token",
    "null_score": "score of no answer, to hold against start_score + end_score",
    "log_partition": "log of the sum of exp(score) over all spans and the null",
    "confidence": "probability of the outcome, 0 to 1",
    "status": "answered, no_answer or failed",
    "reason": "why a row failed",
    "windows": "windows that the context was cut into",
    "n_best": "the best distinct spans, best first",
}
"""What the columns mean that annotate adds; docs/columns.md says more."""
NAMED_INPUTS = 5
NOT_GIVEN: tuple[object, ...] = (None, "", [], ())


@dataclass(frozen=True, slots=True, kw_only=True)
class DataCard:
    """What a data card tells."""

    data_files: str
    """A pattern of the Parquet files, as the hub reads it; ours, never a user's text."""
    schema: pa.Schema
    prefix: str
    """What stands before the names of the columns that annotate added."""
    counts: Mapping[str, int]
    model: str
    weights_sha256: str
    inputs: Sequence[str]
    settings: Mapping[str, Any]
    engine: str | None = None
    unfinished: str | None = None
    """What is missing, where something is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    name: str
    type: str
    meaning: str


def data_card(card: DataCard) -> str:
    """The card as Markdown."""
    return filled_in(
        "data_card.md.jinja",
        data_files=card.data_files,
        columns=list(_columns(card)),
        counts={name.replace("_", " "): count for name, count in card.counts.items()},
        model="ray_qa's embedded model" if card.model == "embedded" else shown_name(card.model),
        weights_sha256=card.weights_sha256,
        inputs=listed([shown_name(each) for each in card.inputs], NAMED_INPUTS),
        settings={name: _in_words(value) for name, value in card.settings.items() if value not in NOT_GIVEN},
        engine=card.engine,
        unfinished=card.unfinished,
    )


def _columns(card: DataCard) -> Iterator[_Column]:
    added = {card.prefix + field.name: MEANINGS[field.name] for field in (*ADDED_FIELDS, N_BEST_FIELD)}
    for field in card.schema:
        yield _Column(name=field.name, type=str(field.type), meaning=added.get(field.name, "of the input"))


def _in_words(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_in_words(each)}" for name, each in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)
