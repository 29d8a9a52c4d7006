from __future__ import annotations

from pathlib import Path

import pytest

from ray_qa.errors import InputError
from ray_qa.evaluation.config import EvaluateConfig
from ray_qa.evaluation.evaluate import evaluate
from ray_qa.evaluation.table import describe
from tests.unit.exporting.annotated import without_scores
from tests.unit.judging.test_judge import row, write
from tests.unit.reporting.outputs import many_rows

GOLDS = {"a": ["one two"], "b": ["x"], "c": [], "d": ["same"]}


def test_changed_rows_are_named_those_that_lost_most_first(tmp_path: Path) -> None:
    ours = {"a": "one", "b": None, "c": None, "d": "same"}
    theirs = {"a": "one two", "b": "x", "c": "wrong", "d": "same"}
    first, second = (
        write(tmp_path / name, [row(each, GOLDS[each], answers[each]) for each in order])
        for name, answers, order in (("ours", ours, "abcd"), ("theirs", theirs, "dcab"))
    )
    report = evaluate(EvaluateConfig(predictions=first, compare=second))
    found = report.comparison
    assert found is not None
    assert (found.rows, found.changed) == (4, 3)
    assert [(each.id, each.answer, each.other) for each in found.changes] == [
        ("b", "", "x"),
        ("a", "one", "one two"),
        ("c", "", "wrong"),
    ]
    assert (found.exact.difference, found.exact.better, found.exact.worse) == (-25, 1, 2)
    assert "b 'Who?': '' ← 'x' (gold 'x')" in describe(report)


def test_predictions_that_share_no_row_cannot_be_compared(tmp_path: Path) -> None:
    first = write(tmp_path / "ours", [row("a", ["x"], "x")])
    second = write(tmp_path / "theirs", [row("b", ["x"], "x")])
    with pytest.raises(InputError, match=r"`compare` must have rows that `predictions` has too, but .* shares none"):
        evaluate(EvaluateConfig(predictions=first, compare=second))


def test_an_unfinished_output_is_judged_only_if_that_is_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "ours", [row("a", ["x"], "x")])
    whole = evaluate(EvaluateConfig(predictions=path))
    assert describe(whole).startswith(f"SQuAD v1.1 scores of {path} against its column 'answers'\n")
    (tmp_path / "ours/_SUCCESS").unlink()
    with pytest.raises(InputError, match=r"must be a finished run of annotate, but .* has no _SUCCESS"):
        evaluate(EvaluateConfig(predictions=path))
    report = evaluate(EvaluateConfig(predictions=path, partial=True))
    assert describe(report).startswith(f"not finished: {path} has no _SUCCESS")


def test_rows_whose_scores_are_no_numbers_are_told_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = many_rows(tmp_path / "out", 10)
    evaluate(EvaluateConfig(predictions=str(folder)))
    assert "no numbers" not in capsys.readouterr().err  # one row has failed
    without_scores(folder, 1)
    report = evaluate(EvaluateConfig(predictions=str(folder)))
    told = "the scores of 2 rows are no numbers; they are left out of what null thresholds answer"
    assert told in capsys.readouterr().err
    assert report.thresholds is not None
    assert max(report.thresholds.curve.answered_T) == pytest.approx(0.7)


def test_the_best_thresholds_are_told(tmp_path: Path) -> None:
    rows = [row("a", ["x"], None, span="x", null_score=4.0), row("b", [], "y", null_score=-9.0)]
    report = evaluate(EvaluateConfig(predictions=write(tmp_path / "ours", rows)))
    assert report.thresholds is not None
    assert report.scores.exact == 0
    assert (report.thresholds.best_exact.exact, report.thresholds.best_exact.answered) == (50, 0)
    assert "best null threshold for exact match: -13 (exact 50.00" in describe(report)
