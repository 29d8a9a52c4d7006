"""What judged rows, and all that is computed of them, take of memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from ray_qa.evaluation.breakdowns import breakdowns
from ray_qa.judging.judge import Judgement
from ray_qa.judging.judged_rows import JudgedRows, empty_rows
from ray_qa.metrics.thresholds import threshold_curve

ROWS = 400_000
BYTES_A_ROW = 115


def rows() -> JudgedRows:
    random = np.random.default_rng(0)
    made = empty_rows(ROWS, "v2.0", ())
    made.is_present_N[:] = True
    made.has_answer_N[:] = random.random(ROWS, np.float32) < 0.5
    made.exact_N[:] = random.random(ROWS, np.float32) < 0.5
    random.random(out=made.f1_N)
    random.random(out=made.margin_N)
    made.windows_N[:] = made.context_chars_N[:] = random.integers(1, 5_000, ROWS, np.int32)
    return made.filled({})


def peak_of(work: Callable[[], object]) -> float:
    """The most bytes a row that are held while it works."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1] / ROWS
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "computed",
    [
        len,
        lambda rows: Judgement(rows=rows, extra=0).scores,
        partial(breakdowns, seed=0),
        lambda rows: threshold_curve(rows.margin_N, rows.span_exact_N, rows.span_f1_N, rows.has_answer_N).some(100),
    ],
    ids=["rows", "scores", "breakdowns", "thresholds"],
)
def test_judging_takes_few_bytes_a_row(computed: Callable[[JudgedRows], object]) -> None:
    assert 60 < peak_of(lambda: computed(rows())) < BYTES_A_ROW
