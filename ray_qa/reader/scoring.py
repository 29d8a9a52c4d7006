"""Scoring windows: batches through a backend, memory trouble halved away.

Shapes: W windows of a call, C candidates: spans that the windows propose.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from ray_qa.reader.arrays import Bools, Floats, Ints
from ray_qa.reader.backend import Backend, WindowScores
from ray_qa.reader.batching import BatchBudget, batch_by_length, padded_tokens
from ray_qa.reader.collate import Batch, Template, collate
from ray_qa.reader.encoded import EncodedRows
from ray_qa.reader.ranking import NO_CANDIDATES, Candidates, RunningBest
from ray_qa.reader.stopwatch import count, step
from ray_qa.reader.windows import Windows
from ray_qa.settings import ReadingSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowLogits:
    """The logits of a window's T context tokens."""

    start_T: Floats
    end_T: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredWindows:
    """What the model said about W windows: their candidates, null scores, and log-sum-exps over all their spans.

    Of very many candidates those are left out that are not among the best of their rows.

    Where ``fits_W`` is false the window did not fit the memory, where ``finite_W`` is some logit was no number; such a
    window has no candidates, and its figures mean nothing. ``logits`` holds those of windows that fit, by number, where
    several answers a row are asked for.
    """

    candidates: Candidates
    null_score_W: Floats
    log_sum_W: Floats
    finite_W: Bools
    fits_W: Bools
    logits: dict[int, WindowLogits] = field(default_factory=dict)


def score_windows(
    backend: Backend,
    template: Template,
    encoded: EncodedRows,
    windows: Windows,
    settings: ReadingSettings,
    budget: BatchBudget,
) -> ScoredWindows:
    """Score every window, in the order of ``windows``.

    When a batch does not fit the memory, ``budget`` is halved until one does, and stays so for later calls. A window
    that does not fit alone, or has a logit that is no number, touches no others.
    """
    scored = ScoredWindows(
        candidates=NO_CANDIDATES,
        null_score_W=np.zeros(len(windows)),
        log_sum_W=np.zeros(len(windows)),
        finite_W=np.ones(len(windows), np.bool_),
        fits_W=np.zeros(len(windows), np.bool_),
    )
    candidates = RunningBest(row_W=windows.row, n_best=settings.n_best)
    waiting = batch_by_length(windows.tokens, budget.tokens, backend.token_multiple)
    while waiting:
        window_W = waiting.pop(0)
        with step("collate"):
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
        longest = padded_tokens(int(windows.tokens[window_W].max()), backend.token_multiple)
        count("windows", len(window_W))
        count("tokens", int(windows.tokens[window_W].sum()))
        count("computed", len(window_W) * longest)
        scored.fits_W[window_W] = True
        scored.finite_W[window_W] = scores.finite_W
        scored.null_score_W[window_W] = scores.null_score_W
        scored.log_sum_W[window_W] = scores.spans.log_sum_W
        scored.logits.update(_logits(windows, window_W, scores, len(template.after)))
        with step("decode"):
            candidates.add(_candidates(batch, scores))
    return replace(scored, candidates=candidates.all())


def _logits(
    windows: Windows, window_W: Ints, scores: WindowScores, specials_after: int
) -> Iterator[tuple[int, WindowLogits]]:
    """The logits of a batch's windows, if there are any, as copies: the batch's own arrays are not kept."""
    if scores.start_logits_WT is None or scores.end_logits_WT is None:
        return
    for nth, window in enumerate(window_W.tolist()):
        end = int(windows.tokens[window]) - specials_after
        own = slice(end - int(windows.stop[window] - windows.start[window]), end)
        start_T, end_T = scores.start_logits_WT[nth, own].copy(), scores.end_logits_WT[nth, own].copy()
        yield window, WindowLogits(start_T=start_T, end_T=end_T)


def _candidates(batch: Batch, scores: WindowScores) -> Candidates:
    """The spans of a batch's finite windows, window by window."""
    spans = scores.spans
    found_WK = (spans.start_score_WK > -np.inf) & (spans.end_score_WK > -np.inf) & scores.finite_W[:, None]
    nth_C, rank_C = np.nonzero(found_WK)
    return Candidates(
        window_C=batch.window_W[nth_C],
        start_C=batch.char_start_WT[nth_C, spans.first_WK[nth_C, rank_C]],
        end_C=batch.char_end_WT[nth_C, spans.last_WK[nth_C, rank_C]],
        start_score_C=spans.start_score_WK[nth_C, rank_C].astype(np.float64, copy=False),
        end_score_C=spans.end_score_WK[nth_C, rank_C].astype(np.float64, copy=False),
    )
