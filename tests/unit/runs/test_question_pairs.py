from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from ray_qa.data.gold import GoldRows
from ray_qa.errors import InputError
from ray_qa.judging.judge import judge_in_itself
from ray_qa.judging.matching import matched_by_id
from ray_qa.judging.predictions import open_predictions, prediction_tables
from ray_qa.records import Question
from ray_qa.runs.annotated_rows import batches, in_pairs, open_source
from tests.unit.exporting.annotated import CONTEXTS, FAILED, answer, write_output

ROWS = pa.table({"id": ["a", "b", "c"], "context": CONTEXTS, "answers": [{"text": ["x"]}] * 3})
QUESTIONS = (Question(id="who", text="Who?"), Question(id="2.1", text="What?"), Question(id="answer", text="Why?"))
ANSWERS = [
    *(answer(CONTEXTS[0], text) for text in ("oxygen", "blue", "green")),
    *(FAILED, answer(CONTEXTS[1], "1902"), FAILED),
    *(answer(CONTEXTS[2], text) for text in ("here", "fits", "👩‍👩‍👧 fits")),
]


@pytest.mark.parametrize("prefix", ["", "qa_"])
@pytest.mark.parametrize("rows", [1, 7, 1_000])
def test_the_pairs_of_a_wide_output_are_the_rows_of_the_long_one_but_for_their_ids(
    prefix: str, rows: int, tmp_path: Path
) -> None:
    table = ROWS.rename_columns({"answers": "gold"})
    settings = {"prefix": prefix, "n_best": 2}
    wide = write_output(tmp_path / "wide", table, ANSWERS, QUESTIONS, wide=True, **settings)
    long = write_output(tmp_path / "long", table, ANSWERS, QUESTIONS, **settings)
    pairs = in_pairs(open_source(str(wide), partial=False), "id")
    wanted = open_source(str(long), partial=False)
    assert (pairs.schema, pairs.rows, pairs.question_column) == (wanted.schema, wanted.rows, wanted.question_column)
    found = pa.Table.from_batches(batches(pairs, pairs.schema.names, rows)).to_pylist()
    expected = pa.Table.from_batches(batches(wanted, wanted.schema.names)).to_pylist()
    assert found == [row | {"id": f"{row['id']}.{row[prefix + 'question_id']}"} for row in expected]
    in_themselves = in_pairs(wanted, "id")
    assert (in_themselves.schema, in_themselves.rows) == (pairs.schema, pairs.rows)
    assert pa.Table.from_batches(batches(in_themselves, pairs.schema.names, rows)).to_pylist() == found
    assert in_pairs(wanted, "context").pairs is not None
    assert in_pairs(wanted, "nowhere") is wanted


def test_one_question_leaves_the_ids_of_the_long_form_as_they_are(tmp_path: Path) -> None:
    long = write_output(tmp_path / "long", ROWS, ANSWERS[::3], QUESTIONS[:1])
    source = open_source(str(long), partial=False)
    assert in_pairs(source, "id") is source
    assert open_predictions(str(long), prefix="", partial=False).pairs is None


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (
            ["1", "1.b"],
            r"pair 3 of .* repeats '1.b.c', the id of row '1.b' with question 'c' and of row '1' with question 'b.c'; "
            "name another column with --id-column, or annotate with ids of questions without dots$",
        ),
        (
            ["1", "1"],
            r"pair 3 of .* repeats '1.c', the id of row '1' with question 'c'; name a column that has every id once "
            "with --id-column$",
        ),
    ],
)
@pytest.mark.parametrize("wide", [True, False])
def test_an_id_that_two_pairs_have_is_told_with_what_makes_it(
    rows: list[str], expected: str, wide: bool, tmp_path: Path
) -> None:
    asked = (Question(id="c", text="Who?"), Question(id="b.c", text="What?"))
    table = pa.table({"id": rows, "context": CONTEXTS[:2]})
    folder = write_output(tmp_path / "out", table, [FAILED] * 4, asked, wide=wide)
    predictions = open_predictions(str(folder), prefix="", partial=False)
    ids = ["1.c", "1.b.c", "1.b.b.c"]
    gold = GoldRows(ids=pa.chunked_array([ids]), texts=pa.chunked_array([[["x"]] * 3]))
    with pytest.raises(InputError, match=expected):
        list(matched_by_id(predictions, gold, "id", []))


def test_a_column_that_pairs_do_not_have_is_told_with_those_that_they_have(tmp_path: Path) -> None:
    wide = write_output(tmp_path / "wide", ROWS.drop_columns("id"), ANSWERS, QUESTIONS, wide=True)
    has = "read as pairs of context and question,? (it )?has context, answers, question_id, question, answer, "
    predictions = open_predictions(str(wide), prefix="", partial=False)
    gold = GoldRows(ids=pa.chunked_array([["a"]]), texts=pa.chunked_array([[["x"]]]))
    with pytest.raises(InputError, match=f"must have a column 'id', but .*{has}.*; name the column of ids with --id-"):
        list(matched_by_id(predictions, gold, "id", []))
    with pytest.raises(InputError, match=f"`columns` must name a column of .*, but is 'who'; {has}"):
        in_pairs(open_source(str(wide), partial=False), "id").named(["who"])


def test_some_columns_are_read_in_the_order_that_is_asked_for(tmp_path: Path) -> None:
    wide = write_output(tmp_path / "wide", ROWS, ANSWERS, QUESTIONS, wide=True)
    predictions = open_predictions(str(wide), prefix="", partial=False)
    (first, *_) = prediction_tables(predictions, ["question", "id", "status"])
    assert first.to_pylist()[3] == {"question": "Who?", "id": "b.who", "status": "failed"}
    assert (predictions.rows, predictions.question_column) == (9, "question")


@pytest.mark.parametrize("wide", [True, False])
def test_gold_answers_of_contexts_are_not_taken_for_those_of_pairs(wide: bool, tmp_path: Path) -> None:
    output = write_output(tmp_path / "out", ROWS, ANSWERS, QUESTIONS, wide=wide)
    with pytest.raises(InputError, match=r"^`gold` must be given where every context was asked a set of questions"):
        judge_in_itself(open_predictions(str(output), prefix="", partial=False))
