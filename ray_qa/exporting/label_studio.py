"""Tasks for Label Studio, with the answers as predictions to check and correct.

Regions of its Text tag count Unicode code points, as our offsets do (its own tests of texts with emoji hold that; until
2022 it counted UTF-16 units), and line ends of two characters as two.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ray_qa.errors import InputError
from ray_qa.exporting.json_values import json_values
from ray_qa.runs.annotated_rows import Source, batches
from ray_qa.runs.cards import shown_name

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
"""The labelling configuration that the tasks are made for; spaces are shown as they are counted."""
TEXT, QUESTION = "text", "question"
ANSWER = ("answer", "start", "end", "confidence", "status")


def task_columns(source: Source, columns: Sequence[str]) -> list[str]:
    """The columns that go into a task's data beside question and context.

    Raises:
        InputError: if question or context were not kept, or another column bears the name that one of them gets.
    """
    settings = source.output.settings
    own = (settings["context_column"], settings["question_column"])
    for name in own:
        if name not in source.schema.names:
            raise InputError(f"`to` label-studio must find the column {name!r}, but `keep` of annotate left it out")
    others = [name for name in source.named(columns) if name not in own]
    if clashes := [name for name in others if name in (TEXT, QUESTION)]:
        raise InputError(
            f"`columns` must leave {clashes[0]!r} out with `to` label-studio, where {own[0]!r} is called {TEXT!r} "
            f"and {own[1]!r} {QUESTION!r}"
        )
    return others


def tasks(source: Source, others: Sequence[str]) -> Iterator[str]:
    """A JSON list of tasks, one for each row.

    Raises:
        InputError: if an answer is not what its offsets cut out of the context.
    """
    context, question = (source.output.settings[f"{name}_column"] for name in ("context", "question"))
    ours = [source.ours(name) for name in ANSWER]
    version = f"{shown_name(source.model)} {source.output.weights_sha256[:12]}"
    columns = list(dict.fromkeys([context, question, *others, *ours]))
    comma = "[\n"
    for batch in batches(source, columns):
        values = {name: json_values(batch.column(name), name) for name in columns}
        for row in range(batch.num_rows):
            data = {TEXT: values[context][row] or "", QUESTION: values[question][row] or ""}
            data |= {name: values[name][row] for name in others}
            answer = {name: values[source.ours(name)][row] for name in ANSWER}
            task = {"data": data, "predictions": _predictions(data[TEXT], answer, version)}
            yield comma + json.dumps(task, ensure_ascii=False, allow_nan=False)
            comma = ",\n"
    yield "\n]\n"


def _predictions(text: str, answer: Mapping[str, Any], version: str) -> list[dict[str, Any]]:
    if answer["status"] == "failed":
        return []
    result = [] if answer["answer"] is None else [_region(text, answer)]
    return [{"model_version": version, "score": answer["confidence"], "result": result}]


def _region(text: str, answer: Mapping[str, Any]) -> dict[str, Any]:
    start, end, cut = answer["start"], answer["end"], answer["answer"]
    if text[start:end] != cut:
        raise InputError(f"`input` must have answers that are cut out of their contexts, but {cut!r:.60} is not")
    value = {"start": start, "end": end, "text": cut, "labels": ["Answer"]}
    return {"id": "answer", "from_name": "answer", "to_name": TEXT, "type": "labels", "value": value}
