"""The data card: what annotated rows are and how they were made, for people, with the metadata that the hub reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from ray_qa.data.schemas import QUESTION_FIELDS
from ray_qa.errors import listed
from ray_qa.records import Question
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
    "mentions": "the best spans that do not overlap, best first",
}
"""What the columns mean that annotate adds; docs/columns.md says more."""
WIDE_MEANING = "what was answered to the question of this name: answer, span, start, end and so on"
SET_MEANING = "of the question set that every context was asked"
NAMED_INPUTS = 5
MOST_QUESTIONS = 100
"""That are listed with their texts."""
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
    questions: Sequence[Question] = ()
    """What every context was asked, if that did not stand in the rows."""
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
        counts=_counts(card),
        questions=[(_known_by(card, each), each.text) for each in card.questions[:MOST_QUESTIONS]],
        asked=len(card.questions),
        wide=_is_wide(card),
        model="ray_qa's embedded model" if card.model == "embedded" else shown_name(card.model),
        weights_sha256=card.weights_sha256,
        inputs=listed([shown_name(each) for each in card.inputs], NAMED_INPUTS),
        settings={name: in_words(value) for name, value in card.settings.items() if value not in NOT_GIVEN},
        engine=card.engine,
        unfinished=card.unfinished,
    )


def _columns(card: DataCard) -> Iterator[_Column]:
    added = {card.prefix + name: meaning for name, meaning in MEANINGS.items()}
    if _is_wide(card):
        added |= {_known_by(card, each): WIDE_MEANING for each in card.questions}
    elif card.questions:
        added |= {card.prefix + field.name: SET_MEANING for field in QUESTION_FIELDS}
    for field in card.schema:
        meaning = added.get(field.name, "of the input")
        kind = "struct" if meaning == WIDE_MEANING else str(field.type)
        yield _Column(name=field.name, type=kind, meaning=meaning)


def _counts(card: DataCard) -> dict[str, int]:
    """By name; of a question set pairs are counted, of which a row of the wide form holds several."""
    counts = {name.replace("_", " "): count for name, count in card.counts.items()}
    if not card.questions:
        return counts
    pairs = counts.pop("rows")
    rows = pairs // len(card.questions) if _is_wide(card) else pairs
    return {"rows": rows, "pairs of context and question": pairs, **counts}


def _is_wide(card: DataCard) -> bool:
    return bool(card.settings.get("wide"))


def _known_by(card: DataCard, question: Question) -> str:
    """Where a question's answers are: the name of its column, or its id in the rows."""
    return card.prefix + question.id if _is_wide(card) else question.id


def in_words(value: object) -> str:
    """A setting as people read it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {in_words(each)}" for name, each in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)
