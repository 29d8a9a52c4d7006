"""What a set of questions gives, wide and long, is what the table of all pairs gives."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ray_qa.data.part_tables import part_table
from ray_qa.data.question_sets import rows_to_read
from ray_qa.data.schemas import answer_fields
from ray_qa.reader.reader import Reader
from ray_qa.records import Question
from ray_qa.settings import ColumnSettings
from tests.model.conftest import OpenReader
from tests.tiny import TEXT

DIRTY = ("", " \r\n", "\u200b", "</s> [SEP] <s>", "e\u0301 🙂 👩‍👩‍👧", "\u202e日本\u00a0語", *TEXT, " ".join(TEXT))
SOME_TEXT = st.sampled_from(DIRTY) | st.text(st.characters(codec="utf-8"), max_size=30)
CONTEXTS = st.lists(st.none() | SOME_TEXT, max_size=4)
QUESTIONS = st.lists(SOME_TEXT.filter(str.strip), min_size=1, max_size=3)


def columns(**more: Any) -> ColumnSettings:
    return ColumnSettings(n_best=2, answers_per_row=2, **more)


@pytest.fixture(scope="module")
def reader(open_tiny: OpenReader) -> Reader:
    return open_tiny(n_best=2, answers_per_row=2)


@settings(max_examples=40, deadline=None)
@given(contexts=CONTEXTS, asked=QUESTIONS)
def test_wide_is_long_regrouped_and_long_is_the_table_of_all_pairs(
    reader: Reader, contexts: list[str | None], asked: list[str]
) -> None:
    questions = [Question(id=f"q.{number}", text=text) for number, text in enumerate(asked)]
    ids = tuple(question.id for question in questions)
    long, wide = (columns(questions=ids, wide=wide) for wide in (False, True))
    rows = pa.table({"n": pa.array(range(len(contexts)), pa.int64()), "context": pa.array(contexts, pa.string())})
    answers = reader.read(rows_to_read(rows, long, questions))
    long_rows = part_table(rows, answers, long, {}, questions).to_pylist()
    wide_rows = part_table(rows, answers, wide, {}, questions).to_pylist()

    names = [field.name for field in answer_fields(long)]
    regrouped: dict[int, dict[str, Any]] = {
        number: {"n": number, "context": context} for number, context in enumerate(contexts)
    }
    for row in long_rows:
        regrouped[row["n"]][row["question_id"]] = {name: row[name] for name in names}
    assert wide_rows == list(regrouped.values())

    pairs = pa.table(
        {
            "context": pa.array([row["context"] for row in long_rows], pa.string()),
            "question": pa.array([row["question"] for row in long_rows], pa.string()),
        }
    )
    written_out = reader.read(rows_to_read(pairs, columns(), ()))
    written = part_table(pairs, written_out, columns(), {}).select(names).to_pylist()
    assert [{name: row[name] for name in names} for row in long_rows] == written
