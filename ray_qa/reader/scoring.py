"""Scoring windows: packed batches through the model, the span search on its device, memory trouble halved away."""

from __future__ import annotations

import numpy as np
import torch

from ray_qa.reader.answers import Candidate, ScoredWindow
from ray_qa.reader.batching import batch_by_length
from ray_qa.reader.collate import Batch, Template, collate
from ray_qa.reader.encoded import EncodedRows
from ray_qa.reader.span_model import SpanModel
from ray_qa.reader.spans import WindowSpans, best_spans
from ray_qa.reader.windows import Windows
from ray_qa.settings import ReadingSettings

NOT_FINITE = ScoredWindow(candidates=(), null_score=0.0, log_sum=0.0, finite=False)
OUT_OF_MEMORY = ScoredWindow(candidates=(), null_score=0.0, log_sum=0.0, out_of_memory=True)


def score_windows(
    model: SpanModel,
    template: Template,
    encoded: EncodedRows,
    windows: Windows,
    settings: ReadingSettings,
    batch_tokens: int,
) -> list[ScoredWindow]:
    """Score every window, in the order of ``windows``.

    A batch that does not fit the memory is halved until it does; a window that does not fit alone comes back with
    ``out_of_memory``, one with a non-finite logit with ``finite`` false. Neither touches the others.
    """
    scored: list[ScoredWindow] = [OUT_OF_MEMORY] * len(windows)
    waiting = batch_by_length(windows.tokens, batch_tokens)[::-1]
    while waiting:
        window_W = waiting.pop()
        batch = collate(encoded, windows, window_W, template)
        try:
            results = _score_batch(model, template, batch, settings)
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if not _is_out_of_memory(error):
                raise
            _free_memory()
            if len(window_W) > 1:
                waiting += [window_W[len(window_W) // 2 :], window_W[: len(window_W) // 2]]
            continue
        for window, result in zip(window_W, results, strict=True):
            scored[window] = result
    return scored


def _score_batch(model: SpanModel, template: Template, batch: Batch, settings: ReadingSettings) -> list[ScoredWindow]:
    logits = model.forward(batch.input_ids_WT, batch.attention_mask_WT, batch.token_type_ids_WT)
    real_WT = torch.from_numpy(batch.attention_mask_WT).to(model.device) > 0
    start_WT, end_WT = logits.start_logits_WT, logits.end_logits_WT
    finite_W = ((start_WT.isfinite() & end_WT.isfinite()) | ~real_WT).all(dim=1)
    start_WT = torch.where(finite_W[:, None] & real_WT, start_WT, 0.0)
    end_WT = torch.where(finite_W[:, None] & real_WT, end_WT, 0.0)
    spans = best_spans(
        start_WT,
        end_WT,
        batch.eligible_WT,
        max_answer_tokens=settings.max_answer_tokens,
        n_best=settings.n_best,
        char_start_WT=batch.char_start_WT,
        char_end_WT=batch.char_end_WT,
    )
    null_W = (start_WT[:, template.null_position] + end_WT[:, template.null_position]).tolist()
    return [
        _scored_window(batch, spans, window, null) if finite else NOT_FINITE
        for window, (null, finite) in enumerate(zip(null_W, finite_W.tolist(), strict=True))
    ]


def _scored_window(batch: Batch, spans: WindowSpans, window: int, null_score: float) -> ScoredWindow:
    first_K, last_K = spans.first_WK[window], spans.last_WK[window]
    ranges_and_scores = zip(
        batch.char_start_WT[window, first_K].tolist(),
        batch.char_end_WT[window, last_K].tolist(),
        spans.start_score_WK[window].tolist(),
        spans.end_score_WK[window].tolist(),
        strict=True,
    )
    return ScoredWindow(
        candidates=tuple(
            Candidate(start=start, end=end, start_score=start_score, end_score=end_score)
            for start, end, start_score, end_score in ranges_and_scores
            if start_score > -np.inf
        ),
        null_score=null_score,
        log_sum=float(spans.log_sum_W[window]),
    )


def _is_out_of_memory(error: Exception) -> bool:
    """CUDA has its own error class; torch's CPU allocator raises a plain RuntimeError."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "allocate memory" in str(error)


def _free_memory() -> None:
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
