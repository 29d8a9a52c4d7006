"""What training would make of an answer to the row that is inspected: where it lies, and its label in each window.

Shapes: W windows, T tokens of one window.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ray_qa.errors import InputError
from ray_qa.reader.alignment import LocatedAnswer, TokenRun, align_to_tokens, locate_answer
from ray_qa.reader.arrays import Floats
from ray_qa.reader.collate import Template
from ray_qa.reader.encoded import EncodedRows
from ray_qa.reader.inspection import AnswerGiven, InspectedGold, InspectedLabel
from ray_qa.reader.labels import LabelPositions, label_positions, labels_in_windows
from ray_qa.reader.windows import Windows

_WHY_NOT = {
    "answer_empty": "is white space",
    "answer_not_found": "is not in it",
    "answer_ambiguous": "is at several places in it; say at which character it begins, as in TEXT@CHARACTER",
    "answer_without_tokens": "gets no token from the tokenizer",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundAnswer:
    """An answer that was found in its context, and its tokens there."""

    gold: InspectedGold
    run: TokenRun


def find_answer(context: str, given: AnswerGiven, encoded: EncodedRows) -> FoundAnswer:
    """Find an answer in its context, the one that ``encoded`` has.

    Raises:
        InputError: if training would drop it.
    """
    located = locate_answer(context, given.text, given.start)
    if isinstance(located, LocatedAnswer):
        run = align_to_tokens(encoded.context_start, encoded.context_end, located)
        if run is not None:
            gold = InspectedGold(
                text=context[located.start : located.end],
                start=located.start,
                end=located.end,
                repaired=located.repaired and given.start is not None,
                aligned=run.aligned,
            )
            return FoundAnswer(gold=gold, run=run)
        located = "answer_without_tokens"
    raise InputError(f"`answer` must be a text of the context, but {given.text!r:.60} {_WHY_NOT[located]}")


def positions_of_answer(
    found: FoundAnswer | None, encoded: EncodedRows, windows: Windows, template: Template
) -> LabelPositions:
    """The label of each window of the row; ``None`` stands for a question without an answer."""
    first, last = (-1, -1) if found is None else (found.run.first, found.run.last)
    every_W = np.ones(len(windows), dtype=np.int64)
    labels = labels_in_windows(every_W * first, every_W * last, windows)
    return label_positions(labels, windows, every_W * len(encoded.question_ids), template)


def label_with_loss(
    positions: LabelPositions, window: int, null_position: int, start_log_T: Floats, end_log_T: Floats
) -> InspectedLabel:
    """The label of one window, with the loss of its tokens' log-probabilities."""
    start, end = int(positions.start_positions_W[window]), int(positions.end_positions_W[window])
    start_loss, end_loss = -float(start_log_T[start]), -float(end_log_T[end])
    return InspectedLabel(
        start_position=start,
        end_position=end,
        holds_answer=start != null_position,
        start_loss=start_loss,
        end_loss=end_loss,
        loss=(start_loss + end_loss) / 2,
    )
