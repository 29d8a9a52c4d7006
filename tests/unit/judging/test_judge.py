from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ray_qa.data.gold import read_gold
from ray_qa.data.schemas import ADDED_FIELDS
from ray_qa.errors import InputError
from ray_qa.judging import matching
from ray_qa.judging.judge import Judgement, judge_against, judge_in_itself, read_judgement
from ray_qa.judging.predictions import open_predictions
from ray_qa.metrics.squad import score_predictions

ANSWERS = pa.struct([("text", pa.list_(pa.string())), ("answer_start", pa.list_(pa.int64()))])
WORDS = st.text(st.sampled_from("ab the.,ß日"), max_size=6)


def write(folder: Path, rows: list[dict[str, Any]], parts: int = 1) -> str:
    """A folder as annotate leaves one, of rows with ids, contexts, gold answers and answers."""
    folder.mkdir(parents=True)
    (folder / "_SUCCESS").touch()
    kept = [pa.field("id", pa.string()), pa.field("question", pa.string()), pa.field("context", pa.string())]
    schema = pa.schema([*kept, pa.field("answers", ANSWERS), *ADDED_FIELDS])
    for part in range(parts):
        table = pa.Table.from_pylist(rows[part::parts], schema)
        pq.write_table(table, folder / f"part-{part:07}.parquet")
    return str(folder)


def row(row_id: str, golds: list[str], answer: str | None, **more: Any) -> dict[str, Any]:
    scores = {"start_score": 1.0, "end_score": 2.0, "null_score": 0.5, "log_partition": 3.5, "confidence": 0.25}
    row: dict[str, Any] = {
        "id": row_id,
        "question": "Who?",
        "context": "c",
        "answers": {"text": golds, "answer_start": [0] * len(golds)},
        "answer": answer,
        "span": answer or "some span",
        "status": "no_answer" if answer is None else "answered",
        "windows": 1,
    }
    return row | scores | more


def judged(path: str, **options: Any) -> Judgement:
    return judge_in_itself(open_predictions(path, prefix="", partial=False), **options)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.lists(WORDS, max_size=3), st.none() | WORDS), min_size=1, max_size=12), st.data())
def test_figures_are_those_of_the_plain_procedure_beside_gold_or_apart(
    tmp_path_factory: pytest.TempPathFactory, cases: list[tuple[list[str], str | None]], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("judged")
    rows = [row(str(nth), golds, answer) for nth, (golds, answer) in enumerate(cases)]
    golds = {each["id"]: tuple(each["answers"]["text"]) for each in rows}
    answers = {each["id"]: each["answer"] or "" for each in rows}
    assert judged(write(folder / "out", rows)).scores == score_predictions(golds, answers)

    kept = data.draw(st.lists(st.sampled_from(rows), unique_by=lambda each: each["id"], min_size=1))
    random.Random(0).shuffle(kept)
    extra = [row("extra", ["x"], "x")]
    predictions = open_predictions(write(folder / "some", [*kept, *extra], parts=2), prefix="", partial=False)
    gold_path = folder / "gold.jsonl"
    gold_path.write_text("".join(json.dumps({"id": each["id"], "answers": each["answers"]}) + "\n" for each in rows))
    gold = read_gold(str(gold_path), "id")
    kept_answers = {each["id"]: answers[each["id"]] for each in kept} | {"extra": "x"}
    assert judge_against(predictions, gold, "id").scores == score_predictions(golds, kept_answers)


def test_ids_whose_hashes_are_equal_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "hash", lambda text: len(text), raising=False)
    gold = write(tmp_path / "gold", [row(name, [name], "") for name in ("a", "b", "cc", "d")])
    rows = [row(name, [], name) for name in ("d", "x", "dd", "b", "cc", "yyy")]
    predictions = open_predictions(write(tmp_path / "out", rows), prefix="", partial=False)
    judgement = judge_against(predictions, read_gold(gold, "id"), "id")
    assert judgement.rows.row_N.tolist() == [-1, 3, 4, 0]
    assert judgement.rows.exact_N.tolist() == [False, True, True, True]
    assert judgement.extra == 3


def test_rows_come_in_the_order_of_the_gold_rows_and_know_theirs(tmp_path: Path) -> None:
    rows = [row("b", ["B"], "B", windows=7), row("a", [], None), row("x", ["no"], "gold"), row("c", ["C C"], "C")]
    gold = write(tmp_path / "gold", [row(name, golds, "") for name, golds in {"a": [], "m": ["M"], "b": ["B"]}.items()])
    predictions = open_predictions(write(tmp_path / "out", rows), prefix="", partial=False)
    judgement = judge_against(predictions, read_gold(gold, "id"), "id")
    assert judgement.rows.is_present_N.tolist() == [True, False, True]
    assert judgement.rows.row_N.tolist() == [1, -1, 0]
    assert judgement.rows.windows_N.tolist() == [1, -1, 7]
    assert judgement.rows.exact_N.tolist() == [True, False, True]
    assert judgement.extra == 2


def test_what_annotate_says_of_its_rows_is_taken_over(tmp_path: Path) -> None:
    nothing = dict.fromkeys(("start_score", "end_score", "null_score", "log_partition", "confidence", "span"))
    rows = [
        row("a", ["der Hund"], None, span="Der Hund", context="ä日", question="How many dogs?"),
        row("b", ["x"], None, status="failed", windows=0, context=None, question=None, **nothing),
        row("c", ["long gold answer", "gold answer"], "gold", context="ä日", question="In whose name"),
    ]
    found = judged(write(tmp_path / "out", rows)).rows
    np.testing.assert_equal(found.margin_N, [2.5, np.nan, 2.5])
    np.testing.assert_equal(found.span_log_N, [-0.5, np.nan, -0.5])
    assert found.span_exact_N.tolist() == [True, False, False]
    assert found.span_f1_N.tolist() == pytest.approx([1, 0, 2 / 3])
    assert found.status_N.tolist() == [1, 2, 0]
    assert found.context_chars_N.tolist() == [2, 0, 2]
    assert found.context_N[0] == found.context_N[2] != found.context_N[1]
    assert found.answer_words_N.tolist() == [2, 1, 2]
    assert [int(word) for word in found.question_word_N] == [6, 9, 1]


def test_no_answer_is_right_by_the_official_rule_wherever_gold_may_be_nothing(tmp_path: Path) -> None:
    v1 = judged(write(tmp_path / "v1", [row("a", ["."], None), row("b", ["x", "the"], "x"), row("c", ["x"], "x")])).rows
    assert v1.null_exact_N.tolist() == [True, True, False]
    v2 = judged(write(tmp_path / "v2", [row("a", ["."], "x"), row("b", ["x", "the"], None), row("c", [], None)])).rows
    assert v2.null_exact_N.tolist() == [True, False, True]


def test_columns_tell_rows_apart(tmp_path: Path) -> None:
    rows = [row("a", ["x"], "x", context="1"), row("b", ["x"], "x", context="2"), row("c", [], None, context=None)]
    column = judged(write(tmp_path / "out", rows, parts=2), by=["context"]).rows.by["context"]
    assert [column.values[code] for code in column.code_N] == ["1", "none", "2"]


def test_only_the_chosen_rows_are_left(tmp_path: Path) -> None:
    rows = [row(name, [name], "a") for name in "abc"]
    found = judged(write(tmp_path / "out", rows), by=["id"]).rows.where(np.array([True, False, True]))
    assert (len(found), found.exact_N.tolist()) == (2, [True, False])
    assert found.by["id"].code_N.tolist() == [0, 2]


def test_predictions_that_kept_no_gold_answers_need_some(tmp_path: Path) -> None:
    path = tmp_path / "predictions.json"
    path.write_text('{"a": "x"}')
    predictions = open_predictions(str(path), prefix="", partial=False)
    with pytest.raises(
        InputError, match=r"must have kept its gold answers unless `gold` is given, but .* has no column"
    ):
        read_judgement(predictions, None, "id")
    gold = write(tmp_path / "gold", [row("a", ["x"], "")])
    assert read_judgement(predictions, gold, "id").scores.exact == 100
