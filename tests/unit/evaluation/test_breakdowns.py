from __future__ import annotations

from pathlib import Path

from ray_qa.evaluation.breakdowns import breakdowns
from tests.unit.judging.test_judge import judged, row, write


def test_every_row_is_of_one_kind_in_each_breakdown_and_figures_are_theirs(tmp_path: Path) -> None:
    rows = [
        row("a", ["x"], "x", context="c" * 10, windows=1),
        row("b", ["x y z"], "x", context="c" * 600, windows=2, question="Where?"),
        row("c", [], None, context="c" * 499, windows=40, question="And?"),
        row("d", ["x"], None, context="c" * 200_000, windows=4, question="Where?"),
    ]
    found = {each.by: each for each in breakdowns(judged(write(tmp_path / "out", rows), by=["id"]).rows, 0)}
    shown = {by: {kind.name: kind.figures.rows for kind in each.kinds} for by, each in found.items()}
    assert shown == {
        "context characters": {"0–499": 2, "500–999": 1, "100,000 or more": 1},
        "windows": {"1": 1, "2": 1, "3–4": 1, "33 or more": 1},
        "words of the gold answer": {"0": 1, "1": 2, "3–5": 1},
        "question word": {"who": 1, "where": 2, "other": 1},
        "status": {"answered": 2, "no_answer": 2},
        "id": {"a": 1, "b": 1, "c": 1, "d": 1},
    }
    no_answer = found["status"].kinds[1].figures
    assert (no_answer.exact, no_answer.f1) == (50, 50)


def test_rare_values_of_a_column_are_put_together(tmp_path: Path) -> None:
    rows = [row(str(nth), ["x"], "x", question=f"q{nth % 26}") for nth in range(40)]
    (found,) = [
        each
        for each in breakdowns(judged(write(tmp_path / "o", rows), by=["question"]).rows, 0)
        if each.by == "question"
    ]
    names = [kind.name for kind in found.kinds]
    assert (len(names), names[-1]) == (21, "6 others")
    assert sum(kind.figures.rows for kind in found.kinds) == 40


def test_what_is_not_known_is_not_broken_down(tmp_path: Path) -> None:
    rows = judged(write(tmp_path / "out", [row("a", ["x"], "x", windows=None)])).rows
    assert "windows" not in {each.by for each in breakdowns(rows, 0)}
