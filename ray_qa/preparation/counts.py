"""How many rows came to which end, and what was done to their answers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Of a source, or of all. ``rows = kept + set_apart``, always."""

    rows: int = 0
    kept: int = 0
    set_apart: Mapping[str, int] = field(default_factory=dict)
    """Rows by why."""
    answers: int = 0
    """Of the rows that are kept."""
    converted: int = 0
    """Of them: their places counted something else than code points."""
    without_question: int = 0
    """Of the rows that are kept: their question is missing or blank, so that annotate has them fail."""
    repaired: int = 0
    """Of them: their texts were not at their places, but at exactly one other."""

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            rows=self.rows + other.rows,
            kept=self.kept + other.kept,
            set_apart=dict(Counter(self.set_apart) + Counter(other.set_apart)),
            answers=self.answers + other.answers,
            converted=self.converted + other.converted,
            without_question=self.without_question + other.without_question,
            repaired=self.repaired + other.repaired,
        )

    @property
    def apart(self) -> int:
        """Rows that are set apart."""
        return sum(self.set_apart.values())

    @property
    def reconcile(self) -> bool:
        """Whether every row came to exactly one end."""
        return self.rows == self.kept + self.apart
