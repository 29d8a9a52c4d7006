"""Gold answers as tokens: where an answer lies in its context, and the run of tokens that covers it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from ray_qa.reader.arrays import Ints

Drop = Literal["answer_empty", "answer_not_found", "answer_ambiguous", "answer_without_tokens"]
"""Why a gold answer cannot be used: it has no text; its text is not where it should be, and nowhere or several times
in the context; the tokenizer gives its characters no token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocatedAnswer:
    """A gold answer as a half-open range of Unicode code points of its context, without white space at its ends."""

    start: int
    end: int
    repaired: bool = False
    """The text was not at the stated place, but at exactly one other."""
    trimmed: bool = False
    """White space at its ends was left out, as it is from the ranges of tokens."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRun:
    """The first and last token of an answer, as positions among the context's tokens."""

    first: int
    last: int
    aligned: bool
    """Whether both ends of the answer lie on token borders, so that the run decodes to exactly the answer."""


def locate_answer(context: str, text: str, start: int | None) -> LocatedAnswer | Drop:
    """Find a gold answer in its context.

    Args:
        context: the row's context.
        text: the answer's text.
        start: where it should begin, in Unicode code points; ``None`` where that is not known.

    Returns:
        Its range: the stated one if the text is there, else that of its only occurrence; or why there is none.
    """
    bare = text.strip()
    if not bare:
        return "answer_empty"
    stated = start is not None and start >= 0 and context.startswith(text, start)
    if not stated:
        # With its white space it may be at one place only, or else without.
        sought = text if text in context else bare
        start = context.find(sought)
        if start < 0:
            return "answer_not_found"
        # One more place is enough to know that there are several; they may overlap.
        if context.find(sought, start + 1) >= 0:
            return "answer_ambiguous"
    else:
        sought = text
    assert start is not None
    begin = start + len(sought) - len(sought.lstrip())
    return LocatedAnswer(start=begin, end=begin + len(bare), repaired=not stated, trimmed=bare != text)


def align_to_tokens(char_start_T: Ints, char_end_T: Ints, answer: LocatedAnswer) -> TokenRun | None:
    """The smallest run of tokens that holds every token which shares a character with the answer.

    Args:
        char_start_T: where each context token begins, in code points; shape (T,).
        char_end_T: where it ends; a token with an empty range covers nothing.
        answer: the answer's range.

    Returns:
        The run, or ``None`` where no token shares a character with the answer.
    """
    touching = np.flatnonzero((char_end_T > answer.start) & (char_start_T < answer.end) & (char_end_T > char_start_T))
    if not len(touching):
        return None
    first, last = int(touching[0]), int(touching[-1])
    aligned = int(char_start_T[first]) == answer.start and int(char_end_T[last]) == answer.end
    return TokenRun(first=first, last=last, aligned=aligned)
