"""Keeping answers from cutting a character as people see it: a letter with its marks, an emoji with its parts."""

from __future__ import annotations

import numpy as np
import regex

from ray_qa.reader.arrays import Ints

GRAPHEME = regex.compile(r"\X")
"""An extended grapheme cluster (Unicode Standard Annex 29)."""
SEVERAL = regex.compile(
    r"[\p{GCB=Extend}\p{GCB=SpacingMark}\p{GCB=Prepend}\p{GCB=RI}\p{GCB=ZWJ}\p{GCB=L}\p{GCB=V}\p{GCB=T}]"
)
"""What a grapheme of several code points has, but for a line's end."""


def whole_graphemes(text: str, ranges_T2: Ints) -> Ints:
    """The smallest ranges around token ranges, shape (T, 2), that cut no grapheme; empty ranges stay as they are.

    Tokenizers that fold marks away (BERT's, DeBERTa's) give a letter's token a range without the marks that follow it.
    """
    if SEVERAL.search(text) is None:
        return ranges_T2
    borders = np.array([0, *(match.end() for match in GRAPHEME.finditer(text))], dtype=np.int64)
    first, end = ranges_T2.T
    starts = borders[np.searchsorted(borders, first, side="right") - 1]
    ends = borders[np.searchsorted(borders, end, side="left")]
    return np.where((end > first)[:, None], np.stack([starts, ends], axis=1), ranges_T2)
