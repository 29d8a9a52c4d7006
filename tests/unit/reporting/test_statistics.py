from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from ray_qa.judging.judged_rows import STATUSES
from ray_qa.reporting.columns import columns_of
from ray_qa.reporting.statistics import RowStatistics, scored_batch, windows_class
from ray_qa.runs.annotated_rows import batches, open_source
from tests.unit.exporting.annotated import FAILED, answer, write_output
from tests.unit.reporting.outputs import many_rows, table_of


def statistics_of(folder: Path, batch_rows: int = 7) -> RowStatistics:
    source, statistics = open_source(str(folder), partial=False), RowStatistics()
    columns = columns_of(source, keeps_gold=False)
    for each in batches(source, columns.read, batch_rows):
        statistics.add(scored_batch(pa.Table.from_batches([each]), columns, statistics.rows), columns)
    return statistics


def test_numbers_of_windows_are_told_apart_up_to_four_then_by_powers_of_two() -> None:
    assert windows_class(np.array([1, 2, 3, 4, 5, 8, 9, 16, 17, 33, 64, 65])).tolist() == [
        1, 2, 3, 4, 5, 5, 9, 9, 17, 33, 33, 65
    ]  # fmt: skip


@pytest.mark.parametrize("prefix", ["", "qa_"])
def test_all_rows_are_counted_by_outcome_reason_margin_and_length(tmp_path: Path, prefix: str) -> None:
    statistics = statistics_of(many_rows(tmp_path / "out", 40, prefix=prefix))
    assert statistics.rows == 40
    assert statistics.by_status.tolist() == [26, 10, 4]
    assert sum(statistics.by_status) == 40
    assert statistics.reasons == {"question_missing": 4}
    assert {status: statistics.margin[status].total for status in STATUSES} == {
        "answered": 26, "no_answer": 10, "failed": 0
    }  # fmt: skip
    assert statistics.context_chars.total == 40
    assert statistics.answer_chars.quantile(1.0) == len("river 38")
    assert statistics.by_windows == Counter({(1, 0): 26, (1, 1): 10})


def test_an_output_may_have_no_row_that_was_scored(tmp_path: Path) -> None:
    statistics = statistics_of(write_output(tmp_path / "out", table_of(["a", "b"]), [FAILED, FAILED]))
    assert statistics.by_status.tolist() == [0, 0, 2]
    assert statistics.by_windows == {}


def test_the_context_need_not_have_been_kept(tmp_path: Path) -> None:
    contexts = ["An oak stands here."]
    folder = write_output(tmp_path / "out", table_of(contexts), [answer(contexts[0], "oak")], keep=["question"])
    assert statistics_of(folder).context_chars.total == 0
