from __future__ import annotations

from pathlib import Path

import pytest

from ray_qa.errors import InputError
from ray_qa.reporting.correctness import Judged, correctness, judged
from ray_qa.runs.annotated_rows import open_source
from tests.unit.exporting.annotated import FAILED, answer, write_output
from tests.unit.reporting.outputs import many_rows, table_of


def judged_of(folder: Path, gold: Path | None = None) -> Judged | None:
    return judged(open_source(str(folder), partial=False), None if gold is None else str(gold), "id")


def test_answers_are_held_against_the_gold_answers_that_were_kept(tmp_path: Path) -> None:
    held = judged_of(many_rows(tmp_path / "out", 40))
    assert held is not None
    found = correctness(held)
    assert (found.gold, found.rows, found.convention) == (None, 40, "v2.0")
    assert found.exact.percent == pytest.approx(90)  # all but the failed
    assert found.exact.interval.low < 90 < found.exact.interval.high
    assert found.reliability is not None
    assert found.reliability.error == pytest.approx(0.25)  # all right, at a confidence of 0.75
    assert found.risk is not None
    assert found.risk.risk_P.tolist() == [0] * len(found.risk.risk_P)


def test_gold_answers_may_be_given(tmp_path: Path) -> None:
    folder, other = many_rows(tmp_path / "out", 20), many_rows(tmp_path / "other", 10)
    held = judged_of(folder, other)
    assert held is not None
    found = correctness(held)
    assert (found.gold, found.rows) == (str(other), 10)


def test_gold_of_other_rows_is_refused(tmp_path: Path) -> None:
    gold = tmp_path / "gold.json"
    gold.write_text('[{"id": "x", "question": "q", "context": "c", "answers": {"text": ["c"], "answer_start": [0]}}]')
    with pytest.raises(
        InputError,
        match=r"`input` must share ids with `gold`, but none of its 4 ids \(such as 'row-0'\) is among the 1 id ",
    ):
        judged_of(many_rows(tmp_path / "out", 4), gold)


def test_without_gold_answers_nothing_is_judged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = table_of(["an oak"])
    assert judged_of(write_output(tmp_path / "none", rows, [answer("an oak", "oak")])) is None
    assert not caplog.records
    other = rows.append_column("answers", [["what was answered before"]])
    assert judged_of(write_output(tmp_path / "other", other, [answer("an oak", "oak")])) is None
    assert "the column 'answers' is taken for no gold answers: `input` must have a struct" in caplog.text


def test_an_output_whose_rows_all_failed_has_no_curves(tmp_path: Path) -> None:
    rows = table_of(["an oak"]).append_column("answers", [[{"text": ["oak"]}]])
    held = judged_of(write_output(tmp_path / "out", rows, [FAILED]))
    assert held is not None
    found = correctness(held)
    assert (found.exact.percent, found.reliability, found.risk, held.surely_wrong) == (0, None, None, frozenset())


def test_rows_that_are_wrong_and_sure_of_it_are_known(tmp_path: Path) -> None:
    contexts = [f"oak {row} and elm {row}" for row in range(5)]
    golds = [{"text": [f"{'elm' if row in (1, 3) else 'oak'} {row}"]} for row in range(5)]
    rows = table_of(contexts).append_column("answers", [golds])
    folder = write_output(tmp_path / "out", rows, [answer(context, context[:5]) for context in contexts])
    held = judged_of(folder)
    assert held is not None
    assert held.surely_wrong == {1, 3}
