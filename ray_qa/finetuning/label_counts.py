"""What became of the training rows and their answers on the way to labels, and whether that is good enough."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from ray_qa.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelCounts:
    """What became of the training rows and their gold answers."""

    rows: int = 0
    answerable: int = 0
    """Rows that are trained on and have an answer."""
    unanswerable: int = 0
    """Rows that are trained on and have none."""
    dropped_rows: dict[str, int] = field(default_factory=dict)
    """Rows that are not trained on, by reason."""
    questions_cut: int = 0
    """Questions that were longer than ``max_question_tokens``."""
    answers: int = 0
    """Gold answers that are trained on."""
    repaired: int = 0
    """Answers whose text was found at its only place in the context, not at the stated one."""
    trimmed: int = 0
    """Answers with white space at an end, which is left out."""
    unaligned: int = 0
    """Answers that begin or end within a token: the label covers a little more."""
    misplaced: int = 0
    """Answers whose text was not at the stated place, whatever became of them."""
    utf16_units: int = 0
    """Those of them whose place is right if it counts UTF-16 code units instead of characters."""
    utf8_bytes: int = 0
    """Those of them whose place is right if it counts UTF-8 bytes."""
    dropped_answers: dict[str, int] = field(default_factory=dict)
    """Answers that cannot be used, by reason."""

    @property
    def other_unit(self) -> str | None:
        """What ``answer_start`` seems to count, where most misplaced answers agree; ``None`` where they do not."""
        named = {"UTF-16 code units": self.utf16_units, "UTF-8 bytes": self.utf8_bytes}
        most = max(named, key=lambda unit: named[unit])
        return most if named[most] > self.misplaced / 2 else None

    def __add__(self, other: LabelCounts) -> LabelCounts:
        sums: dict[str, Any] = {}
        for each in fields(self):
            ours, theirs = getattr(self, each.name), getattr(other, each.name)
            sums[each.name] = (
                {name: ours.get(name, 0) + theirs.get(name, 0) for name in sorted(ours.keys() | theirs.keys())}
                if isinstance(ours, dict)
                else ours + theirs
            )
        return LabelCounts(**sums)


def check_usable(counts: LabelCounts, max_dropped: float) -> None:
    """Check that there is something to learn, and that the answers are those of these contexts.

    Raises:
        InputError: if no row has an answer that can be used, or more than ``max_dropped`` of them lose all of theirs.
    """
    unit = f"; answer_start must count characters, but seems to count {counts.other_unit}" if counts.other_unit else ""
    if not counts.answerable:
        raise InputError(
            f"`train` must have rows with an answer that lies in its context, but none of {counts.rows:,} has one "
            f"(dropped: {in_words(counts.dropped_answers or counts.dropped_rows)}){unit}"
        )
    lost = counts.dropped_rows.get("no_usable_answer", 0)
    if lost > max_dropped * counts.rows:
        raise InputError(
            f"`train` must have answers that lie in their contexts in all but {max_dropped:.0%} of its rows "
            f"(`max_dropped`), but {lost:,} of {counts.rows:,} lose all of theirs ({in_words(counts.dropped_answers)})"
            f"{unit}"
        )


def in_words(counts: dict[str, int]) -> str:
    """Counts by reason, in one line."""
    return ", ".join(f"{count:,} {name}" for name, count in counts.items())
