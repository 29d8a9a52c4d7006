"""Putting windows together: specials, question and context slice become the arrays of one batch.

Shapes: W windows of the batch, T tokens of its longest window.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ray_qa.reader.arrays import Bools, Ints
from ray_qa.reader.encoded import EncodedRows
from ray_qa.reader.windows import Windows


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """How a tokenizer joins a question and a context: special tokens before, between and after, and segment ids.

    ``null_position`` is where the CLS/BOS token lies in every window. ``context_type`` is the segment id of the
    context and what follows it; ``None`` where the model takes no segment ids (RoBERTa).
    """

    before: tuple[int, ...]
    between: tuple[int, ...]
    after: tuple[int, ...]
    null_position: int
    pad_id: int
    context_type: int | None

    @property
    def special_tokens(self) -> int:
        """Special tokens in every window."""
        return len(self.before) + len(self.between) + len(self.after)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The arrays of one forward pass, of shape (W, T), padded on the right; ``window_W`` says which windows they are.

    ``eligible_WT`` marks context tokens with text; ``char_start_WT`` and ``char_end_WT`` hold the range of each in
    the row's context and 0 elsewhere. ``token_type_ids_WT`` is ``None`` where the model takes none.
    """

    window_W: Ints
    input_ids_WT: Ints
    attention_mask_WT: Ints
    token_type_ids_WT: Ints | None
    eligible_WT: Bools
    char_start_WT: Ints
    char_end_WT: Ints


def collate(encoded: EncodedRows, windows: Windows, window_W: Ints, template: Template) -> Batch:
    """Build the batch of the windows ``window_W`` (indices into ``windows``)."""
    row_W = windows.row[window_W]
    question_from_W = encoded.question_offsets[encoded.question_R[row_W]]
    question_to_W = encoded.question_offsets[encoded.question_R[row_W] + 1]
    context_from_W = encoded.context_offsets[encoded.context_R[row_W]] + windows.start[window_W]
    context_tokens_W = windows.stop[window_W] - windows.start[window_W]
    tokens_W = windows.tokens[window_W]

    at_T = np.arange(int(tokens_W.max()))
    question_at_W = np.full(len(window_W), len(template.before))
    between_at_W = question_at_W + (question_to_W - question_from_W)
    context_at_W = between_at_W + len(template.between)
    after_at_W = context_at_W + context_tokens_W

    input_ids_WT = np.full((len(window_W), len(at_T)), template.pad_id, dtype=np.int64)
    input_ids_WT[:, : len(template.before)] = template.before
    _place(input_ids_WT, between_at_W, template.between)
    _place(input_ids_WT, after_at_W, template.after)
    in_question_WT = (at_T >= question_at_W[:, None]) & (at_T < between_at_W[:, None])
    in_context_WT = (at_T >= context_at_W[:, None]) & (at_T < after_at_W[:, None])
    question_source_WT = at_T + (question_from_W - question_at_W)[:, None]
    context_source_WT = at_T + (context_from_W - context_at_W)[:, None]
    input_ids_WT[in_question_WT] = encoded.question_ids[question_source_WT[in_question_WT]]
    input_ids_WT[in_context_WT] = encoded.context_ids[context_source_WT[in_context_WT]]

    char_start_WT = np.zeros_like(input_ids_WT)
    char_end_WT = np.zeros_like(input_ids_WT)
    char_start_WT[in_context_WT] = encoded.context_start[context_source_WT[in_context_WT]]
    char_end_WT[in_context_WT] = encoded.context_end[context_source_WT[in_context_WT]]
    attended_WT = at_T < tokens_W[:, None]
    context_and_after_WT = (at_T >= context_at_W[:, None]) & attended_WT
    return Batch(
        window_W=window_W,
        input_ids_WT=input_ids_WT,
        attention_mask_WT=attended_WT.astype(np.int64),
        token_type_ids_WT=None if template.context_type is None else context_and_after_WT * template.context_type,
        eligible_WT=in_context_WT & (char_end_WT > char_start_WT),
        char_start_WT=char_start_WT,
        char_end_WT=char_end_WT,
    )


def _place(ids_WT: Ints, at_W: Ints, specials: tuple[int, ...]) -> None:
    for nth, special in enumerate(specials):
        ids_WT[np.arange(len(at_W)), at_W + nth] = special
