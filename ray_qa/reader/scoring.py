"""Scoring windows: batches through a backend, memory trouble halved away."""

from __future__ import annotations

import numpy as np

from ray_qa.reader.answers import Candidate, ScoredWindow
from ray_qa.reader.backend import Backend, WindowScores
from ray_qa.reader.batching import BatchBudget, batch_by_length
from ray_qa.reader.collate import Batch, Template, collate
from ray_qa.reader.encoded import EncodedRows
from ray_qa.reader.windows import Windows
from ray_qa.settings import ReadingSettings

NOT_FINITE = ScoredWindow(candidates=(), null_score=0.0, log_sum=0.0, finite=False)
OUT_OF_MEMORY = ScoredWindow(candidates=(), null_score=0.0, log_sum=0.0, out_of_memory=True)


def score_windows(
    backend: Backend,
    template: Template,
    encoded: EncodedRows,
    windows: Windows,
    settings: ReadingSettings,
    budget: BatchBudget,
) -> list[ScoredWindow]:
    """Score every window, in the order of ``windows``.

    When a batch does not fit the memory, ``budget`` is halved until one does, and stays so for later calls. A window
    that does not fit alone comes back with ``out_of_memory``, one with a non-finite logit with ``finite`` false.
    Neither touches the others.
    """
    scored: list[ScoredWindow] = [OUT_OF_MEMORY] * len(windows)
    waiting = batch_by_length(windows.tokens, budget.tokens, backend.token_multiple)
    while waiting:
        window_W = waiting.pop(0)
        batch = collate(encoded, windows, window_W, template)
        try:
            scores = backend.score(batch, template.null_position, settings)
        except MemoryError:
            if len(window_W) > 1:
                budget.tokens = len(window_W) // 2 * int(windows.tokens[window_W].max())
                left_W = np.concatenate([window_W, *waiting])
                batches = batch_by_length(windows.tokens[left_W], budget.tokens, backend.token_multiple)
                waiting = [left_W[batch] for batch in batches]
            continue
        for nth, window in enumerate(window_W.tolist()):
            scored[window] = _scored_window(batch, scores, nth) if scores.finite_W[nth] else NOT_FINITE
    return scored


def _scored_window(batch: Batch, scores: WindowScores, nth: int) -> ScoredWindow:
    spans = scores.spans
    first_K, last_K = spans.first_WK[nth], spans.last_WK[nth]
    ranges_and_scores = zip(
        batch.char_start_WT[nth, first_K].tolist(),
        batch.char_end_WT[nth, last_K].tolist(),
        spans.start_score_WK[nth].tolist(),
        spans.end_score_WK[nth].tolist(),
        strict=True,
    )
    return ScoredWindow(
        candidates=tuple(
            Candidate(start=start, end=end, start_score=start_score, end_score=end_score)
            for start, end, start_score, end_score in ranges_and_scores
            if start_score > -np.inf
        ),
        null_score=float(scores.null_score_W[nth]),
        log_sum=float(spans.log_sum_W[nth]),
    )
