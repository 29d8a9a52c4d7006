from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ray_qa.annotation.output import check_output as check_output_of_annotate
from ray_qa.cli import main as cli
from ray_qa.errors import InputError, OutputError, RayQaError
from tests.unit.preparation.files import GOOD, NEAR, jsonl, prepared, rows_in

HELD = [GOOD["answers"]]


@pytest.mark.parametrize(
    ("columns", "settings", "message"),
    [
        (
            {"context": ["a"]},
            {"answers_column": "gold"},
            "`answers_column` must name a column of .*, but is 'gold'",
        ),
        ({"context": ["a"]}, {"answers_column": "context"}, "name different columns, but 'context' comes twice"),
        (
            {"context": ["a"], "gold": ["b"]},
            {"answers_column": "gold"},
            "`answers_column` must name a column of str",
        ),
        (
            {"text": ["a"], "answers": HELD},
            {},
            "`context_column` must .* there are: text, answers",
        ),
        (
            {"context": [1], "answers": HELD},
            {},
            "`context_column` must name a text column, but .* is int64",
        ),
        ({"context": ["a"], "question": [1]}, {}, "`question_column` must name a text column, but 'question' is int64"),
        (
            {"context": ["a"], "id": [1.5]},
            {},
            "`id_column` must name a column of texts or .*, but 'id' is double",
        ),
        (
            {"context": ["a"], "answers": [GOOD["answers"]], "set_apart_reason": ["x"]},
            {},
            "must have no column that prepare adds, but has 'set_apart_reason'",
        ),
    ],
)
def test_columns_that_are_not_as_they_must_be_are_refused_before_anything_is_written(
    tmp_path: Path, out: Path, columns: dict[str, Any], settings: dict[str, Any], message: str
) -> None:
    pq.write_table(pa.table(columns), tmp_path / "rows.parquet")
    with pytest.raises(RayQaError, match=message) as caught:
        prepared(out, tmp_path / "rows.parquet", **settings)
    assert len(str(caught.value).splitlines()) == 1
    assert not (out / ".ray_qa" / "plan.json").exists()


def test_a_line_that_cannot_be_read_is_named_with_exit_code_2_and_can_be_put_right(
    tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = jsonl(tmp_path / "a.jsonl", [GOOD])
    (tmp_path / "b.jsonl").write_text(json.dumps(GOOD) + "\n{broken\n")
    arguments = ["prepare", "--input", good, str(tmp_path / "b.jsonl"), "--output", str(out)]
    assert cli.main(arguments) == 2
    said = [line for line in capsys.readouterr().err.splitlines() if "brought into" not in line]
    assert len(said) == 1
    assert f"{tmp_path}/b.jsonl line 2 is no JSON" in said[0]
    jsonl(tmp_path / "b.jsonl", [NEAR])
    assert cli.main(arguments) == 0
    assert "2 rows = 2 kept + 0 set apart\n2 answers are where they should be" in capsys.readouterr().out


def test_outputs_of_other_commands_are_not_taken_for_ours_nor_ours_for_theirs(tmp_path: Path, out: Path) -> None:
    source = jsonl(tmp_path / "rows.jsonl", [GOOD])
    prepared(out, source)
    with pytest.raises(OutputError, match=r"one that ray-qa annotate made, but .* holds '_SUCCESS'"):
        check_output_of_annotate(out)
    plan = json.loads((out / ".ray_qa" / "plan.json").read_text())
    (out / ".ray_qa" / "plan.json").write_text(json.dumps({name: plan[name] for name in plan if name != "command"}))
    with pytest.raises(RayQaError, match=r"one that ray-qa prepare made, but .* holds '_SUCCESS'"):
        prepared(out, source, overwrite=True)
    assert rows_in(out) == [GOOD]


def test_the_output_must_lie_apart_from_the_input(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    jsonl(tmp_path / "in" / "rows.jsonl", [GOOD])
    with pytest.raises(InputError, match="`output` must lie outside the folders that are read"):
        prepared(tmp_path / "in" / "out", tmp_path / "in")


def test_places_that_their_type_cannot_hold_are_refused(tmp_path: Path, out: Path) -> None:
    kind = pa.struct([("text", pa.list_(pa.string())), ("answer_start", pa.list_(pa.int8()))])
    answers = pa.array([{"text": ["z"], "answer_start": [1]}], kind)
    pq.write_table(pa.table({"context": ["a" * 300 + "z"], "answers": answers}), tmp_path / "rows.parquet")
    with pytest.raises(InputError, match=r"`input` must have places of a type that holds them all in 'answers', but "):
        prepared(out, tmp_path / "rows.parquet")
