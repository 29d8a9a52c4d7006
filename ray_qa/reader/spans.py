"""The exact search for answer spans, vectorised over windows, for NumPy and torch arrays alike.

Shapes: W windows, T tokens, L answer lengths (``max_answer_tokens``), K spans a window.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from array_api_compat import array_namespace, device

from ray_qa.reader.arrays import Bools, Floats, Ints, to_numpy

Array = Any
"""A NumPy or a torch array, float32 or float64; the results are NumPy arrays."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowSpans:
    """The K best spans of each of W windows, best first.

    ``first_WK`` and ``last_WK`` are the (inclusive) token positions in the window. Where a window has fewer than K
    spans the scores are −inf. ``log_sum_W`` is log Σ exp(score) over all of the window's spans, −inf where it has none.
    """

    first_WK: Ints
    last_WK: Ints
    start_score_WK: Floats
    end_score_WK: Floats
    log_sum_W: Floats


def best_spans(
    start_logits_WT: Array,
    end_logits_WT: Array,
    eligible_WT: Bools,
    *,
    max_answer_tokens: int,
    n_best: int = 1,
    char_start_WT: Ints | None = None,
    char_end_WT: Ints | None = None,
) -> WindowSpans:
    """Search all pairs i ≤ j < i + ``max_answer_tokens`` of eligible tokens for the highest start_i + end_j.

    The search runs where the logits are. Ties go to the earlier, then to the shorter span. With ``n_best`` above 1
    as many spans are given as it takes to hold ``n_best`` distinct character ranges (or all there are), for which the
    tokens' ranges are needed: several byte-level tokens may share one character.

    Args:
        start_logits_WT: finite logits, shape (W, T).
        end_logits_WT: the same for ends.
        eligible_WT: which tokens may start or end a span, shape (W, T).
        max_answer_tokens: longest span, in tokens.
        n_best: distinct spans wanted.
        char_start_WT: first character of each token; needed if ``n_best`` > 1.
        char_end_WT: one past the last character of each token; needed if ``n_best`` > 1.
    """
    flat_WS, lengths = _span_scores(start_logits_WT, end_logits_WT, eligible_WT, max_answer_tokens)
    if n_best == 1:
        picked_WK = to_numpy(array_namespace(flat_WS).argmax(flat_WS, axis=1))[:, None]
    elif char_start_WT is None or char_end_WT is None:
        raise ValueError("n_best above 1 needs the tokens' character ranges")
    else:
        picked_WK = _pick_distinct(flat_WS, lengths, eligible_WT, n_best, char_start_WT, char_end_WT)

    first_WK, last_WK, found_WK = _pairs(picked_WK, lengths, eligible_WT)
    start_score_WK = np.take_along_axis(to_numpy(start_logits_WT), first_WK, axis=1)
    end_score_WK = np.take_along_axis(to_numpy(end_logits_WT), last_WK, axis=1)
    return WindowSpans(
        first_WK=first_WK,
        last_WK=last_WK,
        start_score_WK=np.where(found_WK, start_score_WK, -np.inf).astype(np.float64),
        end_score_WK=np.where(found_WK, end_score_WK, -np.inf).astype(np.float64),
        log_sum_W=_log_sum_exp(flat_WS),
    )


def _span_scores(start_WT: Array, end_WT: Array, eligible_WT: Bools, max_answer_tokens: int) -> tuple[Array, int]:
    """Scores of all pairs, −inf where there is no such span, as (W, T·L) with the start as the slower index; and L."""
    xp = array_namespace(start_WT, end_WT)
    windows, tokens = start_WT.shape
    lengths = min(max_answer_tokens, tokens)
    eligible = xp.asarray(eligible_WT, device=device(start_WT))
    never = xp.full((windows, tokens + lengths - 1), -np.inf, dtype=start_WT.dtype, device=device(start_WT))
    open_start_WT = xp.where(eligible, start_WT, never[:, :tokens])
    open_end = xp.concat([xp.where(eligible, end_WT, never[:, :tokens]), never[:, : lengths - 1]], axis=1)
    end_WTL = xp.stack([open_end[:, offset : offset + tokens] for offset in range(lengths)], axis=2)
    return xp.reshape(open_start_WT[:, :, None] + end_WTL, (windows, tokens * lengths)), lengths


def _pairs(picked_WK: Ints, lengths: int, eligible_WT: Bools) -> tuple[Ints, Ints, Bools]:
    """Flat positions to first and last token, and whether that pair is a span at all."""
    tokens = eligible_WT.shape[1]
    first_WK = picked_WK // lengths
    beyond_WK = first_WK + picked_WK % lengths
    last_WK = np.minimum(beyond_WK, tokens - 1)
    both_WK = np.take_along_axis(eligible_WT, first_WK, axis=1) & np.take_along_axis(eligible_WT, last_WK, axis=1)
    return first_WK, last_WK, both_WK & (beyond_WK < tokens)


def _pick_distinct(
    flat_WS: Array, lengths: int, eligible_WT: Bools, n_best: int, char_start_WT: Ints, char_end_WT: Ints
) -> Ints:
    """The shortest prefix of the ranking, the same for all windows, that holds ``n_best`` distinct ranges in each."""
    spans = flat_WS.shape[1]
    taken = min(n_best, spans)
    while True:
        picked_WK = _best_positions(flat_WS, lengths, taken)
        first_WK, last_WK, found_WK = _pairs(picked_WK, lengths, eligible_WT)
        ranges_WK = np.take_along_axis(char_start_WT, first_WK, axis=1) << 32
        ranges_WK = ranges_WK + np.take_along_axis(char_end_WT, last_WK, axis=1)
        enough = (
            not found.all() or len(np.unique(ranges)) >= n_best
            for found, ranges in zip(found_WK, ranges_WK, strict=True)
        )
        if taken == spans or all(enough):
            return picked_WK
        taken = min(2 * taken, spans)


def _best_positions(flat_WS: Array, lengths: int, count: int) -> Ints:
    """Flat positions of the ``count`` best spans, best first, equal ones in the order of their positions.

    They begin at the ``count`` starts whose best spans are best: as many spans rank before any other start's.
    """
    xp = array_namespace(flat_WS)
    windows, spans = flat_WS.shape
    best_WT = xp.max(xp.reshape(flat_WS, (windows, spans // lengths, lengths)), axis=2)
    starts_WK = xp.sort(xp.argsort(best_WT, axis=1, descending=True, stable=True)[:, :count], axis=1)
    positions_WKL = starts_WK[:, :, None] * lengths + xp.arange(lengths, device=device(flat_WS))
    positions = xp.reshape(positions_WKL, (windows, starts_WK.shape[1] * lengths))
    order = xp.argsort(xp.take_along_axis(flat_WS, positions, axis=1), axis=1, descending=True, stable=True)
    return to_numpy(xp.take_along_axis(positions, order[:, :count], axis=1))


def _log_sum_exp(flat_WS: Array) -> Floats:
    """log Σ exp over the last axis, −inf where there is nothing to sum."""
    xp = array_namespace(flat_WS)
    highest_W = xp.max(flat_WS, axis=1)
    safe_W = xp.where(xp.isfinite(highest_W), highest_W, xp.zeros_like(highest_W))
    total_W = to_numpy(xp.sum(xp.exp(flat_WS - safe_W[:, None]), axis=1)).astype(np.float64)
    some_W = total_W > 0
    return np.where(some_W, np.log(np.where(some_W, total_W, 1.0)) + to_numpy(safe_W), -np.inf)
