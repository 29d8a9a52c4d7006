"""Rows as official SQuAD JSON, with the answers that were given where gold answers are to come."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from ray_qa.outgoing.json_values import json_values
from ray_qa.runs.annotated_rows import Source

ANSWER = ("answer", "start", "status")


def squad_columns(source: Source) -> list[str]:
    """The columns that are read beside the ids."""
    own = [str(source.output.settings["context_column"]), source.question_column]
    return [*own, *(source.ours(name) for name in ANSWER)]


def squad_json(source: Source, rows: pa.RecordBatch, ids: pa.Array) -> Iterator[str]:
    """A document of one article with a paragraph for each row, in pieces."""
    context, question, *ours = squad_columns(source)
    values = [json_values(rows.column(name), name) for name in (context, question, *ours)]
    yield '{"version": "v2.0", "data": [{"title": "ray-qa sample", "paragraphs": ['
    comma = "\n"
    for own_id, text, asked, *answer in zip(json_values(ids, "id"), *values, strict=True):
        yield comma + json.dumps(_paragraph(own_id, text, asked, dict(zip(ANSWER, answer, strict=True))))
        comma = ",\n"
    yield "\n]}]}\n"


def _paragraph(own_id: object, context: str, question: str, answer: Mapping[str, Any]) -> dict[str, Any]:
    is_answered = answer["answer"] is not None
    answers = [{"text": answer["answer"], "answer_start": answer["start"]}] if is_answered else []
    asked = {"id": str(own_id), "question": question, "answers": answers, "is_impossible": not is_answered}
    return {"context": context, "qas": [asked]}
