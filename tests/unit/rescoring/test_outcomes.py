"""Outcomes anew are those that the reader itself chooses under the new rule."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_qa.data.part_tables import part_table
from ray_qa.errors import InputError
from ray_qa.reader.answers import confidence
from ray_qa.reader.calibration import RAW, Decision, Scale
from ray_qa.records import Question
from ray_qa.rescoring.outcomes import Rule, confidences, rescored_table
from ray_qa.settings import ColumnSettings
from tests.unit.exporting.annotated import ANSWERS, ROWS
from tests.unit.reader.test_answers import FEW, Scored, any_rows, choose_all

TOLERANCE = 1e-12
thresholds = st.one_of(FEW, st.floats(-2e4, 2e4))
rules = st.builds(lambda threshold, always: rule(threshold, always_answer=always), thresholds, st.booleans())


def rule(threshold: float, *, always_answer: bool = False, span: Scale = RAW) -> Rule:
    return Rule(decision=Decision(null_threshold=threshold, span=span), always_answer=always_answer)


def settings_of(of: Rule) -> dict[str, Any]:
    return {"null_threshold": of.decision.null_threshold, "always_answer": of.always_answer, "n_best": 2}


def assert_same(found: pa.Table, wanted: pa.Table) -> None:
    """Equal but for the last bits of confidences."""
    assert found.schema == wanted.schema
    for name in (name for name in wanted.column_names if name != "confidence"):
        assert found[name].to_pylist() == wanted[name].to_pylist(), name
    for one, other in zip(found["confidence"].to_pylist(), wanted["confidence"].to_pylist(), strict=True):
        assert (one is None) == (other is None)
        assert one is None or math.isclose(one, other, rel_tol=TOLERANCE)


@given(st.lists(any_rows, max_size=6), rules, rules)
def test_a_part_under_another_rule_is_what_reading_by_that_rule_would_have_given(
    together: list[Scored], before: Rule, after: Rule
) -> None:
    rows = pa.table({"context": pa.array([row.context for row in together], pa.string())})
    columns = ColumnSettings(n_best=2)

    def part(by: Rule) -> pa.Table:
        return part_table(rows, choose_all(together, **settings_of(by)), columns, {})

    found = rescored_table(part(before), "", (), after, before)
    wanted = part(after)
    assert_same(found.table, wanted)
    statuses = wanted["status"].to_pylist()
    assert [found.outcomes.answered, found.outcomes.no_answer, found.outcomes.failed] == [
        statuses.count(status) for status in ("answered", "no_answer", "failed")
    ]
    earlier = part(before)["status"].to_pylist()
    assert found.outcomes.changed == sum(one != other for one, other in zip(earlier, statuses, strict=True))
    assert rescored_table(part(before), "", (), before, before).table.equals(part(before))


@given(
    st.lists(st.tuples(st.floats(-1e4, 1e4), st.floats(0, 800)), max_size=20),
    st.floats(0.01, 20),
    st.floats(0, 20),
    st.floats(-50, 50),
)
def test_confidences_are_the_readers_but_for_the_last_bits(
    scores: list[tuple[float, float]], slope: float, rest_slope: float, shift: float
) -> None:
    scale = Scale(slope=slope, rest_slope=rest_slope, shift=shift)
    score_R = np.array([score for score, _ in scores], np.float64)
    partition_R = np.array([score + above for score, above in scores], np.float64)
    found = confidences(score_R, partition_R, scale)
    wanted = [
        confidence(score, partition, scale)
        for score, partition in zip(score_R.tolist(), partition_R.tolist(), strict=True)
    ]
    # A logit of hundreds has its own last bits, which the exponential makes larger.
    assert found == pytest.approx(wanted, rel=TOLERANCE * max(1.0, slope, rest_slope), abs=0)


def test_confidences_of_outcomes_that_do_not_change_stay_to_the_last_bit_unless_they_are_calibrated() -> None:
    before = part_table(ROWS, ANSWERS, ColumnSettings(), {})
    same, other = rule(2.0), rule(2.0, span=Scale(slope=0.5))
    assert rescored_table(before, "", (), same, rule(0)).table["confidence"][0].as_py() == 0.75
    found = rescored_table(before, "", (), other, rule(0)).table["confidence"].to_pylist()
    assert found[0] == pytest.approx(confidence(1.5, 2.0, Scale(slope=0.5)))
    assert found[2] is None


def test_the_structs_of_a_wide_output_are_rescored_each_for_itself() -> None:
    questions = tuple(Question(id=name, text="?") for name in ("who", "when"))
    columns = ColumnSettings(questions=("who", "when"), wide=True, prefix="qa_")
    rows = ROWS.select(["id", "context"]).slice(0, 2)
    before = part_table(rows, [ANSWERS[0], ANSWERS[3], ANSWERS[2], ANSWERS[1]], columns, {}, questions)
    found = rescored_table(before, "qa_", ("who", "when"), rule(0.25), rule(0))
    assert found.table.schema == before.schema
    assert [row["status"] for row in found.table["qa_who"].to_pylist()] == ["answered", "failed"]
    assert [row["answer"] for row in found.table["qa_when"].to_pylist()] == ["日本", "in 1902"]
    assert (found.outcomes.answered, found.outcomes.failed, found.outcomes.changed) == (3, 1, 1)


@pytest.mark.parametrize("name", ["start_score", "end_score", "null_score", "log_partition"])
@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_scores_that_are_no_numbers_are_refused_by_column_and_row(name: str, value: float | None) -> None:
    table = part_table(ROWS, ANSWERS, ColumnSettings(), {})
    scores = table[name].to_pylist()
    scores[1] = value
    broken = table.set_column(table.schema.get_field_index(name), name, pa.array(scores, pa.float64()))
    with pytest.raises(InputError, match=rf"^has {value} in '{name}' of its row 2, which has not failed$"):
        rescored_table(broken, "", (), rule(1), rule(0))
