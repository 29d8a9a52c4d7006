"""A second backend, in NumPy and plain loops: every token id has a start and an end logit of its own."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from ray_qa.reader.arrays import Floats
from ray_qa.reader.backend import WindowScores
from ray_qa.reader.collate import Batch
from ray_qa.reader.limits import Limits
from ray_qa.reader.spans import WindowSpans
from ray_qa.settings import ReadingSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class NumpyBackend:
    """Looks logits up by token id; batches of more than ``room`` windows, or with the id ``too_big``, do not fit it."""

    start_logits: Floats
    end_logits: Floats
    room: int = 1_000_000
    too_big: int = -1
    batches: list[int] = field(default_factory=list)
    token_multiple: int = 1

    @property
    def limits(self) -> Limits:
        return Limits(max_positions=None, vocabulary=len(self.start_logits))

    def score(self, batch: Batch, null_position: int, settings: ReadingSettings) -> WindowScores:
        self.batches.append(len(batch.window_W))
        if len(batch.window_W) > self.room or (batch.input_ids_WT == self.too_big).any():
            raise MemoryError
        found = [self._ranked(batch, window, settings) for window in range(len(batch.window_W))]
        wanted = [_distinct(batch, window, pairs, settings.n_best) for window, pairs in enumerate(found)]
        most = max(1, *map(len, wanted))
        picked = [[*pairs, *[(-math.inf, 0, 0)] * (most - len(pairs))] for pairs in wanted]
        first_WK = np.array([[pair[1] for pair in pairs] for pairs in picked])
        last_WK = np.array([[pair[2] for pair in pairs] for pairs in picked])
        nothing_WK = np.array([[pair[0] == -math.inf for pair in pairs] for pairs in picked])
        start_WT, end_WT = self.start_logits[batch.input_ids_WT], self.end_logits[batch.input_ids_WT]
        real_WT = batch.attention_mask_WT > 0
        return WindowScores(
            spans=WindowSpans(
                first_WK=first_WK,
                last_WK=last_WK,
                start_score_WK=np.where(nothing_WK, -np.inf, np.take_along_axis(start_WT, first_WK, axis=1)),
                end_score_WK=np.where(nothing_WK, -np.inf, np.take_along_axis(end_WT, last_WK, axis=1)),
                log_sum_W=np.array([_log_sum([pair[0] for pair in pairs]) for pairs in found]),
            ),
            null_score_W=start_WT[:, null_position] + end_WT[:, null_position],
            finite_W=np.all((np.isfinite(start_WT) & np.isfinite(end_WT)) | ~real_WT, axis=1),
        )

    def _ranked(self, batch: Batch, window: int, settings: ReadingSettings) -> list[tuple[float, int, int]]:
        """Score, first and last token of every span of a window; best first, ties earlier, then shorter."""
        ids_T, eligible_T = batch.input_ids_WT[window], batch.eligible_WT[window]
        pairs = [
            (float(self.start_logits[ids_T[first]] + self.end_logits[ids_T[last]]), first, last)
            for first in range(len(ids_T))
            for last in range(first, min(first + settings.max_answer_tokens, len(ids_T)))
            if eligible_T[first] and eligible_T[last]
        ]
        return sorted(pairs, key=lambda pair: (-pair[0], pair[1], pair[2]))


def _distinct(
    batch: Batch, window: int, pairs: list[tuple[float, int, int]], n_best: int
) -> list[tuple[float, int, int]]:
    """The first pairs whose character ranges differ."""
    kept: dict[tuple[int, int], tuple[float, int, int]] = {}
    for pair in pairs:
        characters = (int(batch.char_start_WT[window, pair[1]]), int(batch.char_end_WT[window, pair[2]]))
        if len(kept) < n_best:
            kept.setdefault(characters, pair)
    return list(kept.values())


def _log_sum(scores: list[float]) -> float:
    return math.log(math.fsum(map(math.exp, scores))) if scores else -math.inf
