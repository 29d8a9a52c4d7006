"""Rows to look at: the closest calls, some of each outcome and of each reason, and whatever rows are asked for."""

from __future__ import annotations

import heapq
import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ray_qa.data.gold import gold_texts
from ray_qa.data.schemas import texts
from ray_qa.judging.judged_rows import STATUSES
from ray_qa.reporting.columns import Columns
from ray_qa.reporting.statistics import Floats, ScoredBatch

CLOSEST, OF_A_STATUS, OF_A_REASON = 150, 40, 8
AROUND, WORD = 220, 24
"""Characters of the context that are shown on either side of the span, and those of a word that is left out whole."""
QUESTION_CHARS, SPAN_CHARS, MOST_GOLDS = 400, 600, 5
UNSHOWABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
"""What HTML has no character for: controls, and bytes that were no text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRow:
    """A row as it is shown; texts are cut to a bounded length."""

    row: int
    """Which row of the output it is, from 0; or which pair of context and question."""
    id: str | None
    """Its own, where it has one."""
    status: str
    reason: str | None
    question_id: str | None
    question: str | None
    before: str
    span: str | None
    after: str
    margin: float
    """NaN where it has no score."""
    confidence: float
    windows: int
    golds: tuple[str, ...]
    """The gold answers that the output has kept."""


@dataclass(slots=True, kw_only=True)
class Samples:
    """The rows that have been chosen so far; deterministic, and bounded however many rows there are."""

    columns: Columns
    flips_at: float | None
    """The margin from which on a row is answered: those nearest to it are the closest calls. Where all are answered
    there is none, and those of the lowest margin are."""
    wanted: frozenset[int] = frozenset()
    """Rows that are taken in any case."""
    _chosen: defaultdict[str, list[tuple[float, int]]] = field(default_factory=lambda: defaultdict(list))
    """By why they were: heaps of their rank, negated, and their number; the first is the next to go."""
    _rows: dict[int, SampleRow] = field(default_factory=dict)

    def add(self, batch: ScoredBatch) -> None:
        """Choose among more rows."""
        rank_B = np.random.default_rng(batch.first).random(len(batch.status_B))
        self._choose("closest", self._distance(batch.margin_B), batch, CLOSEST)
        for number, status in enumerate(STATUSES):
            self._choose(status, np.where(batch.status_B == number, rank_B, np.nan), batch, OF_A_STATUS)
        reasons = batch.table[self.columns.ours("reason")]
        for reason in reasons.drop_null().unique().to_pylist():
            has_it = np.asarray(pc.equal(reasons, reason).fill_null(False))
            self._choose(f"because {reason}", np.where(has_it, rank_B, np.nan), batch, OF_A_REASON)
        numbers = np.arange(batch.first, batch.first + len(rank_B))
        is_wanted = np.isin(numbers, np.fromiter(self.wanted, np.int64, len(self.wanted)))
        self._choose("wanted", np.where(is_wanted, 0.0, np.nan), batch, len(self.wanted))
        self._forget_the_rest()

    def rows(self) -> list[SampleRow]:
        """Those that were chosen, the closest calls first and failed rows last."""
        rows = [self._rows[row] for row in sorted(self._rows)]
        order = np.argsort(self._distance(np.array([each.margin for each in rows])), kind="stable")
        return [rows[place] for place in order]

    def of_reason(self, reason: str) -> list[SampleRow]:
        """Some that failed for a reason, in the order of rows."""
        return [self._rows[row] for row in sorted(row for _, row in self._chosen[f"because {reason}"])]

    def _choose(self, why: str, rank_B: Floats, batch: ScoredBatch, most: int) -> None:
        """Take the rows of the lowest ranks; those that are NaN cannot be chosen."""
        heap = self._chosen[why]
        worst = -heap[0][0] if len(heap) == most > 0 else np.inf
        candidates = np.flatnonzero(rank_B < worst)
        for place in candidates[np.argsort(rank_B[candidates], kind="stable")][:most].tolist():
            row = batch.first + place
            if len(heap) < most:
                heapq.heappush(heap, (-float(rank_B[place]), row))
            elif -rank_B[place] > heap[0][0]:
                heapq.heapreplace(heap, (-float(rank_B[place]), row))
            else:
                continue
            if row not in self._rows:
                self._rows[row] = _shown(batch, place, self.columns)

    def _forget_the_rest(self) -> None:
        kept: Collection[int] = {row for heap in self._chosen.values() for _, row in heap}
        self._rows = {row: self._rows[row] for row in self._rows.keys() & kept}

    def _distance(self, margin_B: Floats) -> Floats:
        """How far from being decided otherwise rows are."""
        return margin_B if self.flips_at is None else np.abs(margin_B - self.flips_at)


def showable(text: str) -> str:
    """A text with a sign in place of what a page cannot show."""
    return UNSHOWABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def as_shown(golds: Sequence[str]) -> tuple[str, ...]:
    """Gold answers, each once, as many and as much of them as there is room for."""
    return tuple(_cut(text, QUESTION_CHARS) or "" for text in dict.fromkeys(golds))[:MOST_GOLDS]


def _shown(batch: ScoredBatch, place: int, columns: Columns) -> SampleRow:
    row = batch.table.slice(place, 1)

    def text(name: str | None) -> str | None:
        return None if name is None else texts(row[name])[0]

    context, span = text(columns.context) or "", text(columns.ours("span"))
    start, end = (row[columns.ours(name)][0].as_py() or 0 for name in ("start", "end"))
    before, after = _surroundings(context, start, end)
    return SampleRow(
        row=batch.first + place,
        id=None if columns.id is None else _cut(_id(row, columns), QUESTION_CHARS),
        status=STATUSES[batch.status_B[place]],
        reason=text(columns.ours("reason")),
        question_id=_cut(text(columns.question_id), QUESTION_CHARS),
        question=_cut(text(columns.question), QUESTION_CHARS),
        before=showable(before),
        span=_cut(span, SPAN_CHARS),
        after=showable(after),
        margin=float(batch.margin_B[place]),
        confidence=float(batch.confidence_B[place]),
        windows=row[columns.ours("windows")][0].as_py() or 0,
        golds=() if columns.answers is None else as_shown(_golds(row, columns.answers)),
    )


def _id(row: pa.Table, columns: Columns) -> str | None:
    """A row's own id: that of a pair without the question's, which stands beside it."""
    (own,) = texts(row[columns.id])
    if own is None or columns.question_id is None:
        return None if own is None else str(own)
    return str(own).removesuffix(f".{texts(row[columns.question_id])[0]}")


def _surroundings(context: str, start: int, end: int) -> tuple[str, str]:
    """What stands before and after a span, cut between words where there are any."""
    before, after = context[max(0, start - AROUND) : start], context[end : end + AROUND]
    if start > AROUND:
        before = "… " + (before.split(maxsplit=1)[-1] if any(map(str.isspace, before[:WORD])) else before)
    if end + AROUND < len(context):
        after = (re.sub(r"\s+\S*$", "", after) if any(map(str.isspace, after[-WORD:])) else after) + " …"
    return before, after


def _golds(row: pa.Table, name: str) -> list[str]:
    texts_of_row: list[str] = gold_texts(row, name, "input", "the output")[0].as_py()
    return texts_of_row


def _cut(text: str | None, most: int) -> str | None:
    if text is None:
        return None
    return showable(text if len(text) <= most else text[: most - 1] + "…")
