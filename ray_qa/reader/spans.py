"""The exact search for answer spans, vectorised over windows, for NumPy and torch arrays alike.

Shapes: W windows, T tokens, L answer lengths (``max_answer_tokens``), E = T + L − 1 ends, K spans a window.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from array_api_compat import array_namespace, device

from ray_qa.reader.arrays import Bools, Floats, Ints, to_numpy, without_torch_on_cpu

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
    logits = _open_logits(start_logits_WT, end_logits_WT, eligible_WT, max_answer_tokens)
    best_WT = _best_of_each_start(logits)
    if n_best == 1:
        picked = _best_spans(logits, best_WT, 1)
    elif char_start_WT is None or char_end_WT is None:
        raise ValueError("n_best above 1 needs the tokens' character ranges")
    else:
        picked = _pick_distinct(logits, best_WT, n_best, char_start_WT, char_end_WT)
    found_WK = picked.are_spans()
    return WindowSpans(
        first_WK=picked.first_WK,
        last_WK=picked.last_WK,
        start_score_WK=np.where(found_WK, picked.start_score_WK, -np.inf).astype(np.float64),
        end_score_WK=np.where(found_WK, picked.end_score_WK, -np.inf).astype(np.float64),
        log_sum_W=_log_sum_exp(logits, best_WT, array_namespace(start_logits_WT, end_logits_WT)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _OpenLogits:
    """Logits of the tokens that may start and end a span, −inf elsewhere.

    The ends run on for L − 1 tokens, so that every start has L ends. NumPy arrays where the CPU's memory holds the
    logits, as NumPy takes a fraction of torch's time for small arrays.
    """

    start_WT: Array
    end_WE: Array
    lengths: int
    xp: Any
    """Their namespace."""
    window_W1: Array
    """All windows, to index with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picked:
    """Pairs of tokens, best first; some may be no spans, and their last token the first beyond the window."""

    first_WK: Ints
    last_WK: Ints
    start_score_WK: Floats
    end_score_WK: Floats

    def are_spans(self) -> Bools:
        """Whether both tokens are eligible, shape (W, K)."""
        return (self.start_score_WK > -np.inf) & (self.end_score_WK > -np.inf)


def _open_logits(start_WT: Array, end_WT: Array, eligible_WT: Bools, max_answer_tokens: int) -> _OpenLogits:
    start_WT, end_WT = without_torch_on_cpu(start_WT), without_torch_on_cpu(end_WT)
    xp, where = array_namespace(start_WT, end_WT), device(start_WT)
    windows, tokens = start_WT.shape
    lengths = min(max_answer_tokens, tokens)
    eligible = xp.asarray(eligible_WT, device=where)
    never_WE = xp.full((windows, tokens + lengths - 1), -np.inf, dtype=start_WT.dtype, device=where)
    return _OpenLogits(
        start_WT=xp.where(eligible, start_WT, never_WE[:, :tokens]),
        end_WE=xp.concat([xp.where(eligible, end_WT, never_WE[:, :tokens]), never_WE[:, tokens:]], axis=1),
        lengths=lengths,
        xp=xp,
        window_W1=xp.arange(windows, device=where)[:, None],
    )


def _best_of_each_start(logits: _OpenLogits) -> Array:
    """The score of the best span from each start, shape (W, T); −inf where there is none.

    Rounding is monotone, so the best sum is that with the best end. The best of L neighbours are found by doubling.
    """
    tokens, width, best_WE = logits.start_WT.shape[1], 1, logits.end_WE
    while 2 * width <= logits.lengths:
        best_WE = logits.xp.maximum(best_WE[:, :-width], best_WE[:, width:])
        width *= 2
    rest = logits.lengths - width
    return logits.start_WT + logits.xp.maximum(best_WE[:, :tokens], best_WE[:, rest : rest + tokens])


def _pick_distinct(logits: _OpenLogits, best_WT: Array, n_best: int, char_start_WT: Ints, char_end_WT: Ints) -> _Picked:
    """The shortest prefix of the ranking, the same for all windows, that holds ``n_best`` distinct ranges in each."""
    spans = best_WT.shape[1] * logits.lengths
    window_W1 = np.arange(len(char_start_WT))[:, None]
    taken = min(n_best, spans)
    while True:
        picked = _best_spans(logits, best_WT, taken)
        ranges_WK = char_start_WT[window_W1, picked.first_WK] << 32
        ranges_WK = np.sort(ranges_WK + char_end_WT[window_W1, picked.last_WK], axis=1)
        distinct_W = 1 + (ranges_WK[:, 1:] > ranges_WK[:, :-1]).sum(axis=1)
        enough_W = (distinct_W >= n_best) | ~picked.are_spans().all(axis=1)
        if taken == spans or enough_W.all():
            return picked
        taken = min(2 * taken, spans)


def _best_spans(logits: _OpenLogits, best_WT: Array, count: int) -> _Picked:
    """The ``count`` best spans, best first, equal ones in the order of their starts, then of their lengths.

    They begin at the ``count`` starts whose best spans are best: as many spans rank before any other start's.
    """
    xp, window_W1 = logits.xp, logits.window_W1
    windows, tokens = best_WT.shape
    starts_WK = _highest(xp, best_WT, count)
    if count > 1:
        starts_WK = xp.sort(starts_WK, axis=1)
    ends_WKL = starts_WK[:, :, None] + xp.arange(logits.lengths, device=device(best_WT))
    start_score_WK = logits.start_WT[window_W1, starts_WK]
    end_score_WKL = logits.end_WE[window_W1[:, :, None], ends_WKL]
    score_WKL = start_score_WK[:, :, None] + end_score_WKL
    picked_WK = _highest(xp, xp.reshape(score_WKL, (windows, -1)), count)
    of_starts_WK, length_WK = picked_WK // logits.lengths, picked_WK % logits.lengths
    first_WK = to_numpy(starts_WK[window_W1, of_starts_WK])
    return _Picked(
        first_WK=first_WK,
        last_WK=np.minimum(first_WK + to_numpy(length_WK), tokens - 1),
        start_score_WK=to_numpy(start_score_WK[window_W1, of_starts_WK]),
        end_score_WK=to_numpy(end_score_WKL[window_W1, of_starts_WK, length_WK]),
    )


def _highest(xp: Any, values_WN: Array, count: int) -> Array:
    """Where the ``count`` highest values of each window lie, highest first, equal ones in order; shape (W, count)."""
    if count == 1:
        return xp.argmax(values_WN, axis=1)[:, None]
    if isinstance(values_WN, np.ndarray) and (found_WK := _highest_unless_tied(values_WN, count)) is not None:
        return found_WK
    return xp.argsort(-values_WN, axis=1, stable=True)[:, :count]


def _highest_unless_tied(values_WN: Floats, count: int) -> Ints | None:
    """The same in a fraction of the time; ``None`` where some window has a tie for the last place."""
    windows, size = values_WN.shape
    last = max(0, size - count)
    found = np.flatnonzero(values_WN >= np.partition(values_WN, last, axis=1)[:, last, None])
    if len(found) != windows * (size - last):
        return None
    found_WK = found.reshape(windows, -1) % size
    order_WK = np.argsort(-np.take_along_axis(values_WN, found_WK, axis=1), axis=1, stable=True)
    return np.take_along_axis(found_WK, order_WK, axis=1)


def _log_sum_exp(logits: _OpenLogits, best_WT: Array, xp: Any) -> Floats:
    """log Σ exp over each window's spans, −inf where there is none; summed in ``xp``, in its order."""
    highest_W = logits.xp.max(best_WT, axis=1)
    highest_W = logits.xp.where(logits.xp.isfinite(highest_W), highest_W, logits.xp.zeros_like(highest_W))
    start_WT, end_WE = xp.asarray(logits.start_WT), xp.asarray(logits.end_WE)
    windows, tokens = start_WT.shape
    share_WTL = xp.empty((windows, tokens, logits.lengths), dtype=start_WT.dtype, device=device(start_WT))
    xp.add(start_WT[:, :, None], _neighbours(end_WE, logits.lengths), out=share_WTL)
    share_WTL -= xp.asarray(highest_W)[:, None, None]
    xp.exp(share_WTL, out=share_WTL)
    total_W = to_numpy(xp.sum(xp.reshape(share_WTL, (windows, -1)), axis=1)).astype(np.float64)
    some_W = total_W > 0
    return np.where(some_W, np.log(np.where(some_W, total_W, 1.0)) + to_numpy(highest_W), -np.inf)


def _neighbours(values_WE: Array, count: int) -> Array:
    """A view of every ``count`` neighbours, shape (W, E − count + 1, count)."""
    if isinstance(values_WE, np.ndarray):
        return np.lib.stride_tricks.sliding_window_view(values_WE, count, axis=1)
    return values_WE.unfold(1, count, 1)
