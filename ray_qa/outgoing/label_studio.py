"""Tasks for Label Studio, with the answers as predictions to check and correct.

Regions of its Text tag count Unicode code points, as our offsets do (its own tests of texts with emoji hold that; until
2022 it counted UTF-16 units), and line ends of two characters as two.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from xml.sax.saxutils import quoteattr

import pyarrow as pa

from ray_qa.errors import InputError
from ray_qa.outgoing.json_values import json_values
from ray_qa.runs.annotated_rows import Source
from ray_qa.runs.cards import one_line, shown_name

LABELS_CONFIG = """\
<View>
  <Style>.htx-text { white-space: pre-wrap; }</Style>
  <Header value="$question"/>
  <Labels name="answer" toName="text">
    <Label value="Answer"/>
  </Labels>
  <Text name="text" value="$text"/>
</View>
"""
"""The labelling configuration that tasks of one question are made for; spaces are shown as they are counted."""
WIDE_LABELS_CONFIG = """\
<View>
  <Style>.htx-text {{ white-space: pre-wrap; }}</Style>
  <Labels name="answer" toName="text">
{labels}
  </Labels>
  <Text name="text" value="$text"/>
</View>
"""
"""That of tasks that were asked a set of questions, with a label for each."""
TEXT, QUESTION = "text", "question"
ANSWER = ("answer", "start", "end", "confidence", "status")


def labels_config(source: Source) -> str:
    """The labelling configuration that the tasks are made for."""
    if not source.output.wide:
        return LABELS_CONFIG
    labels = (
        f"    <Label value={quoteattr(one_line(each.id))} hint={quoteattr(one_line(each.text))}/>"
        for each in source.output.wide
    )
    return WIDE_LABELS_CONFIG.format(labels="\n".join(labels))


def task_columns(source: Source, columns: Sequence[str]) -> list[str]:
    """The columns that go into a task's data beside context and question; the answers of a wide output do not.

    Raises:
        InputError: if question or context were not kept, or another column bears the name that one of them gets.
    """
    named = _named(source)
    for name in named.values():
        if name not in source.schema.names:
            raise InputError(f"`to` label-studio must find the column {name!r}, but `keep` of annotate left it out")
    own = {*named.values(), *(source.ours(question.id) for question in source.output.wide)}
    others = [name for name in source.named(columns) if name not in own]
    if clashes := [name for name in others if name in named]:
        called = " and ".join(f"{column!r} is called {name!r}" for name, column in named.items())
        raise InputError(f"`columns` must leave {clashes[0]!r} out with `to` label-studio, where {called}")
    return others


def columns_read(source: Source, others: Sequence[str]) -> list[str]:
    """The columns that tasks are made of, ``others`` among them."""
    wide = source.output.wide
    ours = [source.ours(name) for name in ([question.id for question in wide] or ANSWER)]
    return list(dict.fromkeys([*_named(source).values(), *others, *ours]))


def tasks(source: Source, others: Sequence[str], rows: Iterable[pa.RecordBatch]) -> Iterator[str]:
    """A JSON list of tasks, one for each row.

    Args:
        source: the output.
        others: columns that go into a task's data beside context and question.
        rows: with the columns of :func:`columns_read`.

    Raises:
        InputError: if an answer is not what its offsets cut out of the context.
    """
    named, wide = _named(source), source.output.wide
    labels = [question.id for question in wide] or ["Answer"]
    ours = [source.ours(name) for name in (labels if wide else ANSWER)]
    version = f"{shown_name(source.model)} {source.output.weights_sha256[:12]}"
    columns = columns_read(source, others)
    comma = "[\n"
    for batch in rows:
        values = {name: json_values(batch.column(name), name) for name in columns}
        for row in range(batch.num_rows):
            data = {name: values[column][row] or "" for name, column in named.items()}
            data |= {name: values[name][row] for name in others}
            own = [values[name][row] for name in ours]
            answers = dict(zip(labels, own if wide else [dict(zip(ANSWER, own, strict=True))], strict=True))
            task = {"data": data, "predictions": _predictions(data[TEXT], answers, version)}
            yield comma + json.dumps(task, ensure_ascii=False, allow_nan=False)
            comma = ",\n"
    yield "\n]\n"


def _named(source: Source) -> dict[str, str]:
    """The columns of context and question, by the names that they get; a wide output has none of questions."""
    context = {TEXT: source.output.settings["context_column"]}
    return context if source.output.wide else {**context, QUESTION: source.question_column}


def _predictions(text: str, answers: Mapping[str, Mapping[str, Any]], version: str) -> list[dict[str, Any]]:
    """One prediction, as sure as its least sure answer, unless all failed."""
    given = {label: answer for label, answer in answers.items() if answer["status"] != "failed"}
    if not given:
        return []
    result = [_region(text, label, answer) for label, answer in given.items() if answer["answer"] is not None]
    score = min(answer["confidence"] for answer in given.values())
    return [{"model_version": version, "score": score, "result": result}]


def _region(text: str, label: str, answer: Mapping[str, Any]) -> dict[str, Any]:
    start, end, cut = answer["start"], answer["end"], answer["answer"]
    if text[start:end] != cut:
        raise InputError(f"`input` must have answers that are cut out of their contexts, but {cut!r:.60} is not")
    value = {"start": start, "end": end, "text": cut, "labels": [one_line(label)]}
    return {"id": label, "from_name": "answer", "to_name": TEXT, "type": "labels", "value": value}
