"""The labels of windows: an answer's tokens as the ``start_positions`` and ``end_positions`` that a span model learns.

Shapes: W windows.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ray_qa.reader.arrays import Ints
from ray_qa.reader.collate import Template
from ray_qa.reader.windows import Windows


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """Each window's answer, as positions among the row's context tokens; −1 where it holds none."""

    first_W: Ints
    last_W: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelPositions:
    """Each window's label as transformers takes it, as positions in the window; the null's where it holds no answer."""

    start_positions_W: Ints
    end_positions_W: Ints


def labels_in_windows(first_W: Ints, last_W: Ints, windows: Windows) -> Labels:
    """Find the answers of the windows' rows in the windows; one that does not hold the whole answer holds none.

    Args:
        first_W: the first token of the answer of each window's row, among the row's context tokens; −1 for none.
        last_W: its last token.
        windows: W windows.
    """
    inside_W = (first_W >= windows.start) & (last_W < windows.stop)  # none, −1, is before every start
    return Labels(first_W=np.where(inside_W, first_W, -1), last_W=np.where(inside_W, last_W, -1))


def label_positions(labels: Labels, windows: Windows, question_tokens_W: Ints, template: Template) -> LabelPositions:
    """Turn positions among the row's context tokens into positions in the window: specials and question come before.

    Args:
        labels: of the windows.
        windows: W windows.
        question_tokens_W: how many tokens the question of each has.
        template: how they are put together; says where the null (CLS/BOS) lies.
    """
    shift_W = len(template.before) + question_tokens_W + len(template.between) - windows.start
    holds_W = labels.first_W >= 0
    return LabelPositions(
        start_positions_W=np.where(holds_W, labels.first_W + shift_W, template.null_position),
        end_positions_W=np.where(holds_W, labels.last_W + shift_W, template.null_position),
    )
