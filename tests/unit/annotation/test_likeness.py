from __future__ import annotations

from typing import Any

import pytest

from ray_qa.annotation.config import AnnotateConfig
from ray_qa.annotation.likeness import LEAST_ROWS, unlike_the_calibration
from ray_qa.reader.calibration import RAW, Calibration, FittedOn
from ray_qa.runs.part_labels import Counts

CALIBRATION = Calibration(
    null_threshold=0.0,
    span=RAW,
    null=RAW,
    weights_sha256=None,
    optimized="f1",
    fitted_on=FittedOn(rows=3_000, contexts=600, windows_per_row=1.25, no_answer_share=0.25, unanswerable_share=0.5),
)


def said(no_answer: int, windows: int, rows: int = 1_000, failed: int = 0, **settings: Any) -> str | None:
    counts = Counts(rows=rows, answered=rows - no_answer - failed, no_answer=no_answer, failed=failed, windows=windows)
    return unlike_the_calibration(CALIBRATION, counts, AnnotateConfig(input="in", output="out", **settings))


def test_a_corpus_that_is_like_the_calibrations_rows_is_not_spoken_of() -> None:
    assert said(no_answer=250, windows=1_250) is None
    assert said(no_answer=399, windows=1_740) is None


def test_a_corpus_that_is_unlike_them_is_told_in_one_line_with_both_figures() -> None:
    assert said(no_answer=500, windows=9_000) == (
        "the corpus is unlike the 3,000 rows that the model was calibrated on (50% of rows have no answer here, 25% "
        "there; 9 windows a row here, 1.2 there): its confidence may be off; calibrate on rows of the corpus to know"
    )


@pytest.mark.parametrize(("no_answer", "windows"), [(0, 1_250), (500, 1_250), (250, 2_000)])
def test_either_figure_suffices_in_either_direction(no_answer: int, windows: int) -> None:
    assert said(no_answer, windows) is not None


@pytest.mark.parametrize("settings", [{"always_answer": True}, {"null_threshold": -3.0}])
def test_shares_of_no_answer_under_another_rule_say_nothing(settings: dict[str, Any]) -> None:
    assert said(no_answer=0, windows=1_250, **settings) is None
    assert said(no_answer=0, windows=5_000, **settings) is not None


def test_few_rows_and_models_without_a_calibration_say_nothing() -> None:
    assert said(no_answer=400, windows=900, rows=LEAST_ROWS + 99, failed=100) is None
    counts = Counts(rows=1_000, answered=1_000, windows=9_000)
    assert unlike_the_calibration(None, counts, AnnotateConfig(input="in", output="out")) is None
