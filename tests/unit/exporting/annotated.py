"""Outputs of annotate without a model: its own plan, parts and marks around answers that a test makes up."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ray_qa.annotation.config import AnnotateConfig
from ray_qa.annotation.output import Plan, fingerprints, finish, join_plan
from ray_qa.annotation.summary import RunSummary, count_answers, run_json
from ray_qa.data.parquet_files import InputFile
from ray_qa.data.part_tables import part_table
from ray_qa.data.parts import part_path
from ray_qa.data.schemas import schema_as_text
from ray_qa.data.units import Piece, Unit
from ray_qa.reader.calibration import as_settings, decision_by
from ray_qa.records import Answer, Question, Span
from ray_qa.runs.part_labels import Counts, PartLabel, publish_part
from ray_qa.settings import deciding_settings

UNIT_ROWS = 2
FAILED = Answer(status="failed", reason="question_missing")


def answer(context: str, text: str, *, margin: float = 1.0, answered: bool = True) -> Answer:
    """An answer that is cut out of its context, so far above the null."""
    start = context.index(text)
    place = {"start": start, "end": start + len(text), "start_score": margin, "end_score": 0.5}
    return Answer(
        status="answered" if answered else "no_answer",
        answer=text if answered else None,
        span=text,
        **place,  # type: ignore[arg-type]  # each is of its field's type
        null_score=0.5,
        log_partition=2.0,
        confidence=0.75,
        windows=1,
        n_best=(Span(text=text, **place),),  # type: ignore[arg-type]  # as above
    )


def without_scores(folder: Path, part: int) -> Path:
    """The output where rows of a part that have not failed have NaN for their null score."""
    path = part_path(folder, part)
    table = pq.read_table(path)
    scores = [math.nan if status != "failed" else None for status in table["status"].to_pylist()]
    place = table.schema.get_field_index("null_score")
    field = table.schema.field(place)
    pq.write_table(table.set_column(place, field, pa.array(scores, field.type)), path)
    return folder


def write_output(
    folder: Path, rows: pa.Table, answers: Sequence[Answer], questions: Sequence[Question] = (), /, **settings: Any
) -> Path:
    """A finished output of these rows, in units of ``UNIT_ROWS``; where ``questions`` were asked, of all answers."""
    if questions:
        settings["questions"] = "/in/questions.txt"
    config = AnnotateConfig(**{"input": "/in/rows.parquet", "output": str(folder), "model": "owner/reader"} | settings)
    firsts = range(0, rows.num_rows, UNIT_ROWS)
    plan = Plan(
        algorithm=2,
        settings=deciding_settings(config) | as_settings(decision_by(None, config.null_threshold)),
        weights_sha256="0123456789abcdef" * 4,
        tokenizer_sha256="t" * 64,
        input=(InputFile(path="/in/rows.parquet", size=9, mtime_ns=5, footer_sha256="f", rows=(3,), text_bytes=(7,)),),
        input_schema=schema_as_text(rows.schema),
        questions=tuple(questions),
        units=tuple(
            Unit(number=number, pieces=(Piece(file=0, row_group=0, first_row=first, rows=UNIT_ROWS),))
            for number, first in enumerate(firsts)
        ),
    )
    join_plan(folder, plan)
    asked, columns = max(1, len(questions)), config.columns(questions)
    for number, first in enumerate(firsts):
        own = answers[first * asked : (first + UNIT_ROWS) * asked]
        label = PartLabel(plan="digest", counts=count_answers(own)).as_metadata()
        publish_part(folder, number, part_table(rows.slice(first, UNIT_ROWS), own, columns, label, questions))
    summary = RunSummary(
        output=str(folder),
        counts=sum((count_answers([each]) for each in answers), start=Counts()),
        units=len(firsts),
        scored_rows=len(answers),
        start_seconds=1.0,
        run_seconds=2.0,
    )
    finish(folder, run_json(config, fingerprints(plan), summary, None))
    return folder


CONTEXTS = ["Nitrogen is blue 😀, oxygen is green.", "Anna sailed\r\nto 日本 in 1902.", "Nothing here 👩‍👩‍👧 fits."]
ROWS = pa.table(
    {
        "id": ["a", "b", "c", "d", "e"],
        "question": ["Which gas is green?", "When?", None, "Where?", "=What?"],
        "context": [CONTEXTS[0], CONTEXTS[1], CONTEXTS[2], CONTEXTS[1], CONTEXTS[2]],
        "answers": [{"text": ["oxygen"]}, {"text": ["1902"]}, {"text": []}, {"text": ["Japan"]}, {"text": []}],
    }
)
ANSWERS = [
    answer(CONTEXTS[0], "oxygen"),
    answer(CONTEXTS[1], "in 1902"),
    FAILED,
    answer(CONTEXTS[1], "日本", margin=-0.25, answered=False),
    answer(CONTEXTS[2], "👩‍👩‍👧 fits", margin=-3.0, answered=False),
]
