from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ray_qa.errors import ConfigError, InputError, OutputError
from ray_qa.evaluation.config import EvaluateConfig
from ray_qa.evaluation.evaluate import as_record, evaluate
from ray_qa.evaluation.table import describe
from ray_qa.metrics.squad import SquadScores


@pytest.fixture
def gold(tmp_path: Path) -> str:
    path = tmp_path / "gold.parquet"
    answers = [{"text": ["Paris"]}, {"text": []}, {"text": ["red dog house"]}, {"text": []}]
    pq.write_table(pa.table({"id": ["1", "2", "3", "4"], "answers": answers}), path)
    return str(path)


@pytest.fixture
def predictions(tmp_path: Path) -> str:
    folder = tmp_path / "annotated"
    folder.mkdir()
    columns = {"id": [1, 2, 3, 9], "answer": ["paris.", None, "big red dog", "extra"]}
    pq.write_table(pa.table(columns), folder / "part-0000000.parquet")
    (folder / "_SUCCESS").touch()
    return str(folder)


def test_annotated_parts_are_judged_against_gold_rows(gold: str, predictions: str) -> None:
    report = evaluate(EvaluateConfig(gold=gold, predictions=predictions))

    assert (report.gold, report.predictions, report.convention) == (gold, predictions, "v2.0")
    assert report.scores == SquadScores(
        exact=100.0 * 2 / 3,
        f1=100.0 * (1 + 1 + 2 * (2 / 3) * (2 / 3) / (2 / 3 + 2 / 3)) / 3,
        total=3,
        has_answer_exact=50.0,
        has_answer_f1=100.0 * (1 + 2 * (2 / 3) * (2 / 3) / (2 / 3 + 2 / 3)) / 2,
        has_answer_total=2,
        no_answer_exact=100.0,
        no_answer_f1=100.0,
        no_answer_total=1,
        missing=1,
        extra=1,
    )


def test_programs_are_told_the_official_figures_on_top(gold: str, predictions: str) -> None:
    report = evaluate(EvaluateConfig(gold=gold, predictions=predictions))
    record = json.loads(json.dumps(as_record(report)))
    told = {"predictions": predictions, "gold": gold, "convention": "v2.0", "unfinished": None, "thresholds": None}
    assert record.items() >= (told | asdict(report.scores)).items()
    assert record["strict"]["exact"] == 50.0


def test_the_output_file_holds_all_of_the_record(tmp_path: Path, gold: str, predictions: str) -> None:
    output = tmp_path / "reports/new/scores.json"
    report = evaluate(EvaluateConfig(gold=gold, predictions=predictions, output=str(output)))
    assert json.loads(output.read_text()) == json.loads(json.dumps(as_record(report)))
    assert list(output.parent.iterdir()) == [output]


def test_squad_json_and_json_predictions_make_v1_scores_with_nulls(tmp_path: Path) -> None:
    gold, predictions, output = (tmp_path / name for name in ("gold.json", "predictions.json", "scores.json"))
    questions = [{"id": "a", "answers": [{"text": "東京"}]}, {"id": "b", "answers": [{"text": "The"}]}]
    gold.write_text(json.dumps({"data": [{"paragraphs": [{"qas": questions}]}]}))
    predictions.write_text(json.dumps({"a": "「東京」"}))
    output.write_text("from an earlier run")
    report = evaluate(EvaluateConfig(gold=str(gold), predictions=str(predictions), output=str(output)))

    assert report.convention == "v1.1"
    assert (report.scores.exact, report.scores.f1, report.scores.total, report.scores.missing) == (0.0, 0.0, 2, 1)
    assert json.loads(output.read_text())["no_answer_exact"] is None


def test_ids_that_never_meet_are_an_input_error(tmp_path: Path, gold: str) -> None:
    predictions = tmp_path / "predictions.json"
    predictions.write_text('{"q1": "x"}')
    with pytest.raises(InputError) as error:
        evaluate(EvaluateConfig(gold=gold, predictions=str(predictions)))
    assert str(error.value) == (
        "`predictions` must share ids with `gold`, "
        "but none of its 1 id (such as 'q1') is among the 4 ids (such as '1') of `gold`"
    )


def test_a_folder_as_output_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"`output` must be a file to write, but .* is a folder"):
        evaluate(EvaluateConfig(gold="nowhere", predictions="nowhere", output=str(tmp_path)))


def test_an_output_that_cannot_be_written_is_refused(tmp_path: Path, gold: str, predictions: str) -> None:
    with pytest.raises(OutputError, match=r"`output` must be a file that can be written, but .* gives: "):
        evaluate(EvaluateConfig(gold=gold, predictions=predictions, output=f"{gold}/scores.json"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["annotated", "gold.parquet"]


def test_the_table_shows_every_kind_of_row_and_what_was_left_out(gold: str, predictions: str) -> None:
    report = evaluate(EvaluateConfig(gold=gold, predictions=predictions))
    official, by_words, by_status = describe(report).split("\n\n")
    assert official.splitlines() == [
        f"SQuAD v2.0 scores of {predictions} against {gold}",
        "               exact      f1      rows",
        "all            66.67   88.89         3",
        "has answer     50.00   83.33         2",
        "no answer     100.00  100.00         1",
        "95 % intervals over contexts: exact 0.00–100.00, f1 66.67–100.00",
        "gold rows without a prediction, left out, as the official script does: 1",
        "with those counted as wrong: exact 50.00, f1 66.67",
        "predictions without a gold row, ignored: 1",
    ]
    assert [line.split()[:3] for line in by_words.splitlines()[1:]] == [
        ["0", "1", "100.00"],
        ["1", "1", "100.00"],
        ["3–5", "1", "0.00"],
    ]
    assert [line.split()[:2] for line in by_status.splitlines()[1:]] == [["answered", "2"], ["no_answer", "1"]]


def test_the_table_says_that_v1_scores_missing_rows_zero(tmp_path: Path) -> None:
    gold, predictions = tmp_path / "gold.jsonl", tmp_path / "predictions.json"
    gold.write_text("".join(f'{{"id": {each}, "answers": [{{"text": "x"}}]}}\n' for each in range(12_000)))
    predictions.write_text('{"0": "y"}')
    table = describe(evaluate(EvaluateConfig(gold=str(gold), predictions=str(predictions)))).splitlines()
    assert table[4] == "no answer          -       -         0"
    assert table[6] == "gold rows without a prediction, scored 0: 11,999"


def test_evaluating_needs_neither_ray_nor_torch() -> None:
    heavy = "{'ray', 'torch', 'transformers', 'tokenizers'}"
    code = f"import sys, ray_qa.evaluation.evaluate; sys.exit(str({heavy} & set(sys.modules) or ''))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""


def test_what_is_no_setting_of_evaluate_is_refused() -> None:
    with pytest.raises(ConfigError, match="the settings must be EvaluateConfig, but are str: 'x'"):
        evaluate("x")  # type: ignore[arg-type]  # as someone may
