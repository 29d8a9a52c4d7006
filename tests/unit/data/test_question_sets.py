from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_qa.data import part_tables
from ray_qa.data.part_tables import part_table
from ray_qa.data.question_sets import read_questions, rows_to_read
from ray_qa.data.schemas import answer_fields, check_columns, output_schema
from ray_qa.errors import InputError
from ray_qa.records import Answer, Question, Row
from ray_qa.settings import ColumnSettings

TWO = (Question(id="who", text="Who?"), Question(id="2", text="Wo? 🙂"))


def asked(**more: Any) -> ColumnSettings:
    return ColumnSettings(questions=tuple(question.id for question in TWO), **more)


def test_a_set_is_read_from_rows_and_from_lines(tmp_path: Path) -> None:
    lines = "".join(json.dumps({"id": each.id, "question": each.text}) + "\n" for each in TWO)
    (tmp_path / "set.jsonl").write_text(lines)
    pq.write_table(pa.table({"question": ["Who?", "Wo? 🙂"], "id": ["who", "2"]}), tmp_path / "set.parquet")
    (tmp_path / "set.csv").write_text("id,question\nwho,Who?\n2,Wo? 🙂\n")
    (tmp_path / "set.txt").write_text("\ufeffWho?\r\n\n \nWo? 🙂")
    for name in ("set.jsonl", "set.parquet", "set.csv"):
        assert read_questions(str(tmp_path / name)) == TWO
    assert read_questions(str(tmp_path / "set.txt")) == (Question(id="1", text="Who?"), Question(id="4", text="Wo? 🙂"))


def test_no_line_of_a_text_file_is_a_comment(tmp_path: Path) -> None:
    (tmp_path / "set.txt").write_text("# of wins?\nWho?\n")
    assert [each.text for each in read_questions(str(tmp_path / "set.txt"))] == ["# of wins?", "Who?"]


def test_a_question_that_comes_twice_is_asked_and_told_in_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "set.txt").write_text("Who?\nWhen?\nWho?\n")
    with caplog.at_level("WARNING", logger="ray_qa"):
        assert len(read_questions(str(tmp_path / "set.txt"))) == 3
    (message,) = caplog.messages
    assert message.startswith("`questions` should have every question once, but ")
    assert message.endswith("set.txt repeats 'Who?' as 1, 3; each id gets the same answers")
    caplog.clear()
    (tmp_path / "set.txt").write_text("Who?\nWhen?\n")
    read_questions(str(tmp_path / "set.txt"))
    assert caplog.messages == []


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (2 * '{"id": "a", "question": "x"}\n', "every id once, but row 2 of .* repeats 'a' of row 1"),
        ('{"id": 1, "question": "x"}\n{"id": 2, "question": " "}', "a text for each question, but row 2 of .* has ' '"),
        ('{"id": null, "question": "x"}', "a text or an integer as the id of each question, but row 1 of .* has None"),
        ('{"id": "a", "question": null}', "a text for each question, but row 1 of .* has None"),
        ('{"id": "a", "text": "x"}', "the columns 'id' and 'question', but .* has id, text"),
        ("", "have questions, but .* has none"),
    ],
)  # fmt: skip
def test_a_set_that_cannot_be_asked_is_refused(tmp_path: Path, content: str, says: str) -> None:
    (tmp_path / "set.jsonl").write_text(content)
    with pytest.raises(InputError, match=f"^`questions` must (have )?{says}") as error:
        read_questions(str(tmp_path / "set.jsonl"))
    assert len(error.value.problems) == 1


def test_all_that_is_wrong_with_a_set_is_said_together(tmp_path: Path) -> None:
    (tmp_path / "set.csv").write_text("id,question\na,x\na,y\nb,\n")
    with pytest.raises(InputError) as error:
        read_questions(str(tmp_path / "set.csv"))
    assert len(error.value.problems) == 2
    with pytest.raises(InputError, match=r"must be a text file or rows, but .*no\.txt gives"):
        read_questions(str(tmp_path / "no.txt"))
    (tmp_path / "latin.txt").write_bytes(b"Who?\nK\xf6ln?")
    with pytest.raises(InputError, match=r"must be in UTF-8, but line 2 of .*latin\.txt is not"):
        read_questions(str(tmp_path / "latin.txt"))


def test_every_context_is_asked_every_question_in_order() -> None:
    rows = pa.table({"context": ["a", None], "question": ["not", "read"]})
    assert rows_to_read(rows, asked(), TWO) == [
        Row(question="Who?", context="a"),
        Row(question="Wo? 🙂", context="a"),
        Row(question="Who?", context=None),
        Row(question="Wo? 🙂", context=None),
    ]
    assert rows_to_read(rows, ColumnSettings(), ()) == [
        Row(question="not", context="a"),
        Row(question="read", context=None),
    ]


@given(
    contexts=st.lists(st.none() | st.text(st.characters(codec="utf-8"), max_size=5), max_size=5),
    once=st.integers(1, 40),
)
def test_wide_and_long_say_the_same_in_whatever_chunks(contexts: list[str | None], once: int) -> None:
    rows = pa.table({"n": pa.array(range(len(contexts))), "context": pa.array(contexts, pa.string())})
    answers = [Answer(status="no_answer", windows=number) for number in range(len(contexts) * len(TWO))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(part_tables, "REPEATED_BYTES", once)
        long = part_table(rows, answers, asked(), {}, TWO)
    wide = part_table(rows, answers, asked(wide=True), {}, TWO)
    assert long.schema.equals(output_schema(rows.schema, asked()))
    assert wide.schema.equals(output_schema(rows.schema, asked(wide=True)))
    assert long["context"].to_pylist() == [context for context in contexts for _ in TWO]
    assert long["question_id"].to_pylist() == ["who", "2"] * len(contexts)
    assert long["question"].to_pylist() == ["Who?", "Wo? 🙂"] * len(contexts)
    names = [field.name for field in answer_fields(asked())]
    whole = long.select(names).to_pylist()
    assert [row[each.id] for row in wide.to_pylist() for each in TWO] == whole
    assert [row["windows"] for row in whole] == list(np.arange(len(whole)))
    assert wide.column_names == ["n", "context", "who", "2"]


@pytest.mark.parametrize(("wide", "clash"), [(True, "who"), (False, "question_id"), (False, "question")])
def test_a_column_that_bears_the_name_of_what_is_added_is_refused(wide: bool, clash: str) -> None:
    schema = pa.schema([("context", pa.string()), (clash, pa.int64())])
    with pytest.raises(InputError, match=f"the input must have no column that annotate adds, but has '{clash}'"):
        check_columns(schema, asked(wide=wide))
    check_columns(schema, asked(wide=wide, prefix="qa_"))
    check_columns(schema, asked(wide=wide, keep=("context",)))


def test_no_question_column_is_needed() -> None:
    check_columns(pa.schema([("context", pa.string())]), asked())
    with pytest.raises(InputError, match="`question_column` must name one column"):
        check_columns(pa.schema([("context", pa.string())]), ColumnSettings())
