"""Promises about corpora that a test makes up: kept where gold rows support them, refused in one line where not."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ray_qa.errors import RayQaError
from ray_qa.records import Question
from ray_qa.rescoring.config import RescoreConfig
from ray_qa.rescoring.rescore import rescore
from ray_qa.rescoring.summary import RescoreSummary, describe
from tests.unit.exporting import annotated as module
from tests.unit.exporting.annotated import FAILED, answer, write_output

ROWS = 1_000
CONTEXT = "Nitrogen is blue, oxygen is green."
ANSWERS = [
    FAILED if row % 100 == 99 else answer(CONTEXT, "oxygen" if row < 600 or row % 2 else "blue", margin=9 - row / 100)
    for row in range(ROWS)
]


def table(gold: str = "oxygen") -> pa.Table:
    return pa.table(
        {
            "id": list(map(str, range(ROWS))),
            "question": ["Which?"] * ROWS,
            "context": [CONTEXT] * ROWS,
            "answers": [{"text": [gold]}] * ROWS,
        }
    )


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Rows from the surest to the least sure, of which the first 600 are right and then every other; some failed."""
    monkeypatch.setattr(module, "UNIT_ROWS", 250)
    return write_output(tmp_path / "annotated", table(), ANSWERS)


def gold_of(folder: Path, rows: int, gold: str = "oxygen") -> str:
    which = np.sort(np.random.default_rng(0).permutation(ROWS)[:rows])
    pq.write_table(table(gold).select(["id", "answers"]).take(which), folder / "gold.parquet")
    return str(folder / "gold.parquet")


def promised(corpus: Path, gold: str, **settings: Any) -> RescoreSummary:
    values = {"target_precision": 0.9, "overwrite": True} | settings
    return rescore(RescoreConfig(input=str(corpus), output=f"{corpus}-promised", gold=gold, **values))


def refusal(corpus: Path, gold: str, **settings: Any) -> str:
    with pytest.raises(RayQaError) as caught:
        promised(corpus, gold, **settings)
    (problem,) = caught.value.problems
    return problem


def test_what_is_promised_is_kept_and_its_cost_is_told(corpus: Path, tmp_path: Path) -> None:
    summary = promised(corpus, gold_of(tmp_path, 400))
    rows = pa.concat_tables(pq.read_table(part) for part in sorted(Path(f"{corpus}-promised").glob("part-*")))
    given = [text for text in rows["answer"].to_pylist() if text is not None]
    assert given.count("oxygen") / len(given) >= 0.9
    assert 0.5 < len(given) / ROWS < 0.8
    promise = summary.promise
    assert promise is not None
    assert promise.share == pytest.approx(len(given) / 990)
    assert (promise.gold_rows, promise.null_threshold) == (397, summary.null_threshold)
    assert "promised with 95 % confidence: of the answers given at least 90 % are right" in describe(summary)
    run = json.loads(Path(f"{corpus}-promised/.ray_qa/run.json").read_bytes())
    assert (run["promise"]["target"], run["promise"]["gold_right"]) == (0.9, promise.gold_right)
    again = promised(corpus, gold_of(tmp_path, 400), overwrite=False)
    assert again.rescored_rows == 0


def test_too_few_gold_rows_are_refused_with_how_many_would_do(corpus: Path, tmp_path: Path) -> None:
    assert refusal(corpus, gold_of(tmp_path, 40), target_precision=0.95) == (
        "`gold` must have at least 118 rows of `input` to promise 95 % with 95 % confidence, but has 40; label 78 "
        "more, drawn at random by ray-qa sample --random"
    )


def test_answers_that_are_too_often_wrong_are_promised_nothing_of(corpus: Path, tmp_path: Path) -> None:
    problem = refusal(corpus, gold_of(tmp_path, 400, gold="nitrogen"))
    assert problem.startswith("`gold` must support a precision of 90 % with 95 % confidence, but of its ")
    assert problem.endswith("are right (0 %); more labels would not change that: ask for less, or take a better model")


def test_a_precision_that_chance_may_have_hidden_is_not_said_to_be_out_of_reach(corpus: Path, tmp_path: Path) -> None:
    """Every other gold row says that there is no answer: of the surest answers about half are right."""
    gold = pq.read_table(gold_of(tmp_path, 200)).to_pylist()
    half = [row if number % 2 else {**row, "answers": {"text": []}} for number, row in enumerate(gold)]
    pq.write_table(pa.Table.from_pylist(half), tmp_path / "half.parquet")
    problem = refusal(corpus, str(tmp_path / "half.parquet"), target_precision=0.55)
    found = re.search(
        r"\(([\d.]+) %\); chance may have done it, as up to ([\d.]+) % of such rows may be right: only more labels can "
        r"tell, and if so many are, ([\d,]+) rows in all would do$",
        problem,
    )
    assert found is not None, problem
    assert float(found[1]) < 55 < float(found[2])
    assert int(found[3].replace(",", "")) > 200
    assert "more labels would not change that" in refusal(corpus, str(tmp_path / "half.parquet"), target_precision=0.8)


def test_an_answer_that_is_nearly_right_counts_where_that_is_asked_for(corpus: Path, tmp_path: Path) -> None:
    gold = gold_of(tmp_path, 400, gold="oxygen is")
    assert "are right (0 %)" in refusal(corpus, gold)
    summary = promised(corpus, gold, right_when="f1")
    assert summary.promise is not None
    assert "right (F1 of at least 0.5)" in describe(summary)


def test_gold_rows_of_something_else_are_refused_and_some_are_said(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gold = pq.read_table(gold_of(tmp_path, 400)).to_pylist()
    other = [{**row, "id": f"x{row['id']}"} for row in gold]
    pq.write_table(pa.Table.from_pylist(other), tmp_path / "other.parquet")
    assert "must share ids with `gold`" in refusal(corpus, str(tmp_path / "other.parquet"))
    pq.write_table(pa.Table.from_pylist([*gold, *other[:3]]), tmp_path / "mixed.parquet")
    promised(corpus, str(tmp_path / "mixed.parquet"))
    assert "3 rows of `gold` are not in `input`, and are left out" in capsys.readouterr().err
    pq.write_table(pa.Table.from_pylist([*gold, gold[0]]), tmp_path / "twice.parquet")
    assert refusal(corpus, str(tmp_path / "twice.parquet")).startswith("`gold` must have every id once, but row 401")
    pq.write_table(pa.table({"id": ["1"]}), tmp_path / "none.parquet")
    assert refusal(corpus, str(tmp_path / "none.parquet")).startswith("`gold` must have a column 'answers', but")


def test_nothing_is_promised_of_an_input_that_is_not_finished(corpus: Path, tmp_path: Path) -> None:
    (corpus / "_SUCCESS").unlink()
    assert refusal(corpus, gold_of(tmp_path, 400)) == (
        f"`input` must be finished where something is promised of its rows, but {corpus} has 4 of 4 parts; run the "
        "same annotate command again for the rest"
    )


def test_of_a_wide_output_the_same_is_promised_as_of_its_pairs(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "UNIT_ROWS", 250)
    questions = (Question(id="who", text="Which?"), Question(id="what", text="Which?"))
    contexts = table().select(["id", "context"]).slice(0, ROWS // 2)
    wide = write_output(tmp_path / "wide", contexts, ANSWERS, questions, wide=True)
    gold = pq.read_table(gold_of(tmp_path, 400))
    ids = [f"{int(row) // 2}.{questions[int(row) % 2].id}" for row in gold["id"].to_pylist()]
    pq.write_table(gold.set_column(0, "id", pa.array(ids)), tmp_path / "of_pairs.parquet")
    of_pairs = promised(wide, str(tmp_path / "of_pairs.parquet"))
    assert of_pairs.promise is not None
    assert of_pairs.promise == promised(corpus, str(tmp_path / "gold.parquet")).promise
    assert of_pairs.counts.rows == ROWS
