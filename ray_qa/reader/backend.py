"""The seam between reading and what runs the forward pass: a collated batch in, each window's best spans out.

Shapes: W windows, T tokens, K spans a window.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from array_api_compat import array_namespace, device

from ray_qa.reader.arrays import Bools, Floats, to_numpy, without_torch_on_cpu
from ray_qa.reader.collate import Batch
from ray_qa.reader.limits import Limits
from ray_qa.reader.spans import WindowSpans, best_spans
from ray_qa.settings import ReadingSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowScores:
    """What a backend says about W windows.

    ``null_score_W`` is start + end logit of each window's CLS/BOS token. Where ``finite_W`` is false some logit of the
    window is no number, and the other figures mean nothing. The logits, shape (W, T), are there where several answers a
    row are asked for.
    """

    spans: WindowSpans
    null_score_W: Floats
    finite_W: Bools
    start_logits_WT: Floats | None = None
    end_logits_WT: Floats | None = None


class BrokenDeviceError(RuntimeError):
    """The device is of no use to this process any more, as after a CUDA error; another process may do better."""


class Backend(Protocol):
    """What runs the forward pass and the span search, on a device of its own."""

    @property
    def limits(self) -> Limits:
        """What it can take."""

    @property
    def token_multiple(self) -> int:
        """Batches are computed at lengths that are multiples of it; 1 where any length is as good as another."""

    def score(self, batch: Batch, null_position: int, settings: ReadingSettings) -> WindowScores:
        """Run the model over a batch and search each window for its best spans.

        Args:
            batch: W windows of at most T tokens.
            null_position: where the CLS/BOS token lies in every window.
            settings: ``max_answer_tokens`` and ``n_best``, as :func:`ray_qa.reader.spans.best_spans` takes them; with
                ``answers_per_row`` above 1 logits are given too.

        Raises:
            MemoryError: if the batch does not fit the device; a smaller one may.
            BrokenDeviceError: if the device fails.
        """


def search_spans(
    start_logits_WT: Any, end_logits_WT: Any, batch: Batch, null_position: int, settings: ReadingSettings
) -> WindowScores:
    """The span search of every backend that has logits, run where they are.

    Args:
        start_logits_WT: a NumPy or torch array of shape (W, T); padding may hold anything.
        end_logits_WT: the same for ends.
        batch: what they are the logits of.
        null_position: as in :meth:`Backend.score`.
        settings: as in :meth:`Backend.score`.
    """
    xp = array_namespace(start_logits_WT, end_logits_WT)
    start_WT, end_WT = without_torch_on_cpu(start_logits_WT), without_torch_on_cpu(end_logits_WT)
    near = array_namespace(start_WT, end_WT)
    real_WT = near.asarray(batch.attention_mask_WT > 0, device=device(start_WT))
    zero = near.zeros_like(start_WT)
    finite_W = near.all((near.isfinite(start_WT) & near.isfinite(end_WT)) | ~real_WT, axis=1)
    usable_WT = finite_W[:, None] & real_WT
    start_WT = near.where(usable_WT, start_WT, zero)
    end_WT = near.where(usable_WT, end_WT, zero)
    spans = best_spans(
        xp.asarray(start_WT),
        xp.asarray(end_WT),
        batch.eligible_WT,
        max_answer_tokens=settings.max_answer_tokens,
        n_best=settings.n_best,
        char_start_WT=batch.char_start_WT,
        char_end_WT=batch.char_end_WT,
    )
    null_W = start_WT[:, null_position] + end_WT[:, null_position]
    keeps_logits = settings.answers_per_row > 1
    return WindowScores(
        spans=spans,
        null_score_W=to_numpy(null_W),
        finite_W=to_numpy(finite_W),
        start_logits_WT=to_numpy(start_WT) if keeps_logits else None,
        end_logits_WT=to_numpy(end_WT) if keeps_logits else None,
    )
