"""What is counted of the rows: outcomes, reasons, scores, lengths and windows, batch by batch in bounded memory."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ray_qa.judging.judged_rows import STATUSES
from ray_qa.reporting.columns import Columns
from ray_qa.reporting.histogram import Histogram

Floats = npt.NDArray[np.float64]

MARGIN_WIDTH, CONFIDENCE_WIDTH = 0.02, 0.005
FAILED = STATUSES.index("failed")
WINDOWS_APART = 4
"""So many numbers of windows are told apart, then powers of two."""
MOST_QUESTIONS = 200
"""Of a set that is asked of every context; more of them are not told apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredBatch:
    """What the statistics and the choice of rows need of B rows; NaN where a row has no score."""

    table: pa.Table
    """All that was read of them, under its own names."""
    first: int
    """Which row of the output the first one is."""
    status_B: npt.NDArray[np.int64]
    """Index into ``STATUSES``."""
    margin_B: Floats
    confidence_B: Floats


@dataclass(slots=True)
class RowStatistics:
    """Counts of all rows so far."""

    rows: int = 0
    by_status: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(STATUSES), np.int64))
    reasons: Counter[str] = field(default_factory=Counter)
    confidence: dict[str, Histogram] = field(
        default_factory=lambda: {status: Histogram(CONFIDENCE_WIDTH) for status in STATUSES}
    )
    margin: dict[str, Histogram] = field(
        default_factory=lambda: {status: Histogram(MARGIN_WIDTH) for status in STATUSES}
    )
    context_chars: Histogram = field(default_factory=lambda: Histogram(1))
    answer_chars: Histogram = field(default_factory=lambda: Histogram(1))
    without_margin: int = 0
    """Rows that have not failed, but whose scores are no numbers."""
    by_windows: Counter[tuple[int, int]] = field(default_factory=Counter)
    """Rows by the fewest windows of their class, as :func:`windows_class` has it, and their status."""
    questions: dict[str, Counter[int]] = field(default_factory=dict)
    """Of a set: rows by status, of each id."""

    def add(self, batch: ScoredBatch, columns: Columns) -> None:
        """Take in a batch."""
        table, status_B = batch.table, batch.status_B
        self.rows += len(status_B)
        self.by_status += np.bincount(status_B, minlength=len(STATUSES))
        for each in pc.value_counts(table[columns.ours("reason")].drop_null()).to_pylist():
            self.reasons[each["values"]] += each["counts"]
        for number, status in enumerate(STATUSES):
            self.confidence[status].add(batch.confidence_B[status_B == number])
            self.margin[status].add(batch.margin_B[status_B == number])
        self.without_margin += int((~np.isfinite(batch.margin_B) & (status_B != FAILED)).sum())
        if columns.context is not None:
            self.context_chars.add(_lengths(table[columns.context]))
        self.answer_chars.add(_lengths(table[columns.ours("answer")]))
        self._add_windows(np.asarray(table[columns.ours("windows")].fill_null(0)), status_B)
        if columns.question_id is not None:
            self._add_questions(table[columns.question_id], status_B)

    def _add_windows(self, windows_B: npt.NDArray[Any], status_B: npt.NDArray[np.int64]) -> None:
        pairs = np.stack([windows_class(windows_B), status_B], axis=1)[windows_B > 0]
        found, counts = np.unique(pairs, axis=0, return_counts=True)
        for (windows, status), count in zip(found.tolist(), counts.tolist(), strict=True):
            self.by_windows[windows, status] += count

    def _add_questions(self, ids: pa.ChunkedArray, status_B: npt.NDArray[np.int64]) -> None:
        counts = pa.table({"id": ids, "status": status_B}).group_by(["id", "status"]).aggregate([([], "count_all")])
        for each in counts.to_pylist():
            if each["id"] in self.questions or len(self.questions) < MOST_QUESTIONS:
                self.questions.setdefault(each["id"], Counter())[each["status"]] += each["count_all"]


def scored_batch(table: pa.Table, columns: Columns, first: int) -> ScoredBatch:
    """The scores of rows, as arrays."""
    start, end, null, confidence = (
        np.asarray(table[columns.ours(name)].cast(pa.float64()).fill_null(np.nan))
        for name in ("start_score", "end_score", "null_score", "confidence")
    )
    status = pc.index_in(table[columns.ours("status")], value_set=pa.array(STATUSES))
    return ScoredBatch(
        table=table,
        first=first,
        status_B=np.asarray(status.fill_null(FAILED), np.int64),
        margin_B=start + end - null,
        confidence_B=confidence,
    )


def windows_class(windows_B: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """The fewest windows of the class that each number is in: 1, 2, 3, 4, 5 to 8, 9 to 16, and so on."""
    doubled = 2 ** np.ceil(np.log2(np.maximum(windows_B, 1))).astype(np.int64)
    return np.where(windows_B <= WINDOWS_APART, windows_B, doubled // 2 + 1)


def _lengths(column: pa.ChunkedArray) -> Floats:
    """Code points of each text that is there."""
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    return np.asarray(pc.utf8_length(column.cast(kind).drop_null()), np.float64)
