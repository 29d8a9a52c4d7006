"""What a source counts the places of its answers in: found by looking at all of them, before any is changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ray_qa.data.answer_columns import RowAnswers
from ray_qa.data.offset_units import OffsetUnit, in_code_points
from ray_qa.data.schemas import is_unicode

UNITS: tuple[OffsetUnit, ...] = ("code_points", "utf16_units", "utf8_bytes")


@dataclass(frozen=True, slots=True, kw_only=True)
class OffsetSurvey:
    """What the answers of a source say of the unit."""

    unit: OffsetUnit = "code_points"
    """Under it more of the answers that can tell are right than under any other; else code points."""
    right: int = 0
    """How many of them are."""
    telling: int = 0
    """How many answers can tell: their place is not the same in all units."""


class OffsetTally:
    """Counts, answer by answer, under which units it is right."""

    def __init__(self) -> None:
        self._telling = 0
        self._right: Counter[OffsetUnit] = Counter()

    def add(self, context: str | None, answers: RowAnswers) -> None:
        """Take in the answers of a row."""
        if context is None or context.isascii() or not is_unicode(context):
            return
        for text, place in zip(answers.texts or (), answers.places or (), strict=False):
            if text and place is not None and place >= 0 and float(place).is_integer():
                self._add(context, text, int(place))

    def survey(self) -> OffsetSurvey:
        """What the answers say by now."""
        first, second = _most(self._right)
        unit: OffsetUnit = first if self._right[first] > self._right[second] else "code_points"
        return OffsetSurvey(unit=unit, right=self._right[unit], telling=self._telling)

    def _add(self, context: str, text: str, place: int) -> None:
        if place <= len(context) and context[:place].isascii():
            return  # as many of all units
        read = {unit: in_code_points(context, place, unit) for unit in UNITS}
        if len(set(read.values())) == 1:
            return
        self._telling += 1
        for unit, start in read.items():
            self._right[unit] += start is not None and context.startswith(text, start)


def _most(right: Counter[OffsetUnit]) -> Sequence[OffsetUnit]:
    return sorted(UNITS, key=lambda unit: -right[unit])[:2]
