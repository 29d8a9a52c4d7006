"""The character ranges of tokens as answers are cut by them: no white space at their ends, no grapheme cut.

Shapes: T tokens of all texts.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

import numpy as np
import regex

from ray_qa.reader.arrays import Bools, Ints

GRAPHEME = regex.compile(r"\X")
"""An extended grapheme cluster (Unicode Standard Annex 29)."""
SEVERAL = regex.compile(
    r"[\p{GCB=Extend}\p{GCB=SpacingMark}\p{GCB=Prepend}\p{GCB=RI}\p{GCB=ZWJ}\p{GCB=L}\p{GCB=V}\p{GCB=T}]"
)
"""What a grapheme of several code points has, but for a line's end."""
BEYOND = 0x3001
"""Stands for all code points from here on: none is white space, any may be one of ``SEVERAL``."""
_KNOWN = list(map(chr, range(BEYOND)))
_IS_WHITE_SPACE = np.array([*(character.isspace() for character in _KNOWN), False])
_IS_OF_SEVERAL = np.array([*(SEVERAL.match(character) is not None for character in _KNOWN), True])


def readable_ranges(
    texts: Sequence[str], token_counts: Sequence[int], offsets: Iterable[Iterable[tuple[int, int]]]
) -> Ints:
    """Token ranges that neither begin nor end in white space or inside a grapheme, all texts' in one array (T, 2).

    Some tokenizers count the space before a word as part of it, others do not; some (BERT's, DeBERTa's) fold a letter's
    marks away and leave them out of its range: after this they are alike. A token of white space only gets an empty
    range. White space that carries a mark is left out all the same.

    Args:
        texts: what was tokenised.
        token_counts: how many tokens each has.
        offsets: for each text the half-open ranges of its tokens, in code points. They are Python objects, many of
            them, and best made as they are read.
    """
    numbers = itertools.chain.from_iterable(itertools.chain.from_iterable(offsets))
    own_T2: Ints = np.fromiter(numbers, np.int64, 2 * sum(token_counts)).reshape(-1, 2)
    # One string for all, so that NumPy has much to do at a time; what lies between two texts is no white space.
    text_starts = np.cumsum([0, *(len(text) + 1 for text in texts)])
    shift_T = np.repeat(text_starts[:-1], token_counts)
    points_C = np.minimum(_code_points("\0".join(texts)), BEYOND)
    blank_C = np.append(_IS_WHITE_SPACE[points_C], False)
    ranges_T2: Ints = _trimmed(blank_C, own_T2 + shift_T[:, None])
    token_starts = np.cumsum([0, *token_counts])
    suspects = np.searchsorted(text_starts, np.flatnonzero(_IS_OF_SEVERAL[points_C]), side="right") - 1
    for number in np.unique(suspects).tolist():
        if SEVERAL.search(texts[number]):
            own = slice(token_starts[number], token_starts[number + 1])
            whole_T2 = whole_graphemes(texts[number], ranges_T2[own] - text_starts[number])
            ranges_T2[own] = _trimmed(blank_C, whole_T2 + text_starts[number])
    ranges_T2 -= shift_T[:, None]
    return ranges_T2


def whole_graphemes(text: str, ranges_T2: Ints) -> Ints:
    """The smallest ranges around token ranges that cut no grapheme; empty ranges stay as they are."""
    borders = np.array([0, *(match.end() for match in GRAPHEME.finditer(text))], dtype=np.int64)
    first, end = ranges_T2.T
    starts = borders[np.searchsorted(borders, first, side="right") - 1]
    ends = borders[np.searchsorted(borders, end, side="left")]
    return np.where((end > first)[:, None], np.stack([starts, ends], axis=1), ranges_T2)


def _code_points(text: str) -> Ints:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def _trimmed(blank_C: Bools, ranges_T2: Ints) -> Ints:
    """Ranges without the white space at their ends; one of white space only becomes the empty range at its end."""
    trimmed_T2 = ranges_T2.copy()
    starts, ends = trimmed_T2.T
    some = ends > starts
    begins_blank = np.flatnonzero(some & blank_C[starts])
    ends_blank = np.flatnonzero(some & blank_C[ends - 1])
    if len(begins_blank) or len(ends_blank):
        written = np.flatnonzero(~blank_C)
        next_written = written[np.searchsorted(written, starts[begins_blank])]
        starts[begins_blank] = np.minimum(next_written, ends[begins_blank])
        before = np.searchsorted(written, ends[ends_blank]) - 1
        until = np.where(before >= 0, written[before] + 1, 0)
        ends[ends_blank] = np.maximum(until, starts[ends_blank])
    return trimmed_T2
