"""Gold answers checked: ``context[start:start + len(text)] == text`` for every one, or its row is set apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ray_qa.data.answer_columns import RowAnswers
from ray_qa.data.offset_units import OffsetUnit, in_code_points
from ray_qa.data.schemas import is_unicode

Fault = Literal[
    "answers_malformed",
    "context_missing",
    "context_not_unicode",
    "answer_empty",
    "answer_not_in_context",
    "answer_ambiguous",
]
"""Why a row is set apart: its answers are not as many texts as whole numbers; there is no context to check them in; one
has no text, or one whose text is not at its place is nowhere in the context, or several times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedAnswers:
    """The places of a row's answers in code points, and what was done to have them."""

    places: tuple[int, ...] | None
    """``None`` where nothing is said of answers."""
    converted: int = 0
    """Places that were another number in the source's unit."""
    repaired: int = 0
    """Places where the text was not, whose text is at exactly one other."""


def check_answers(context: str | None, answers: RowAnswers, unit: OffsetUnit) -> CheckedAnswers | Fault:
    """Check the answers of a row; the first that cannot be used says why it is set apart.

    Texts are taken as they are: one that differs from the context in white space alone is not in it.

    Args:
        context: the row's; bytes that are not UTF-8 are lone surrogates.
        answers: as the row has them.
        unit: what their places are counted in.
    """
    if answers.are_none:
        return CheckedAnswers(places=None)
    texts, stated = answers.texts, answers.places
    if texts is None or stated is None or len(texts) != len(stated) or not all(map(_is_place, stated)):
        return "answers_malformed"
    if not texts:
        return CheckedAnswers(places=())
    if context is None:
        return "context_missing"
    if not is_unicode(context):
        return "context_not_unicode"
    return _located(context, texts, stated, unit)


def _located(
    context: str, texts: Sequence[str | None], stated: Sequence[float | None], unit: OffsetUnit
) -> CheckedAnswers | Fault:
    places: list[int] = []
    converted = repaired = 0
    for text, place in zip(texts, stated, strict=True):
        if text is None or not is_unicode(text):
            return "answers_malformed"
        if not text.strip():
            return "answer_empty"
        known = None if place is None or math.isnan(place) or place < 0 else int(place)
        start = None if known is None else in_code_points(context, known, unit)
        if start is None or not context.startswith(text, start):
            start = context.find(text)
            if start < 0:
                return "answer_not_in_context"
            # One more place is enough to know that there are several; they may overlap.
            if context.find(text, start + 1) >= 0:
                return "answer_ambiguous"
            repaired += 1
        else:
            converted += start != known
        places.append(start)
    return CheckedAnswers(places=tuple(places), converted=converted, repaired=repaired)


def _is_place(place: float | None) -> bool:
    """Whether it may be a place: a whole number, or not known."""
    return place is None or isinstance(place, int) or math.isnan(place) or place.is_integer()
