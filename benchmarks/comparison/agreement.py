"""Whether two methods give the same answers, and by how little those differ that are not the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.comparison.rows import Pair

TIE = 1e-3
"""Answers whose scores differ by no more are a tie: rounding decides between them."""

ScoresOf = Callable[[Pair], dict[str, float]]
"""The texts that a model would rather answer, with the score of each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A row with two answers. ``gap`` is between their scores; ``None`` where one is not among the best."""

    row: int
    question: str
    ours: str
    theirs: str
    gap: float | None

    @property
    def is_tie(self) -> bool:
        """Whether rounding may decide."""
        return self.gap is not None and self.gap <= TIE


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How many answers are the same to the letter, of those that both gave."""

    rows: int
    equal: int

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return self.equal / self.rows


def agreement(ours: Sequence[str], theirs: Sequence[str]) -> Agreement | None:
    """Compare the rows that both have, from the first on; ``None`` where there are none."""
    both = list(zip(ours, theirs, strict=False))
    return Agreement(rows=len(both), equal=sum(our == their for our, their in both)) if both else None


def differences(
    ours: Sequence[str], theirs: Sequence[str], pairs: Sequence[Pair], scores_of: ScoresOf
) -> list[Difference]:
    """The rows whose answers are not the same, with the scores that one model gives both."""
    found = []
    for row, (our, their, pair) in enumerate(zip(ours, theirs, pairs, strict=False)):
        if our != their:
            scores = scores_of(pair)
            gap = abs(scores[our] - scores[their]) if our in scores and their in scores else None
            found.append(Difference(row=row, question=pair.question, ours=our, theirs=their, gap=gap))
    return found


def judge(model: str) -> ScoresOf:
    """The best spans by torch in float32, as ``Reader`` finds them; a text that occurs twice has the better score."""
    from ray_qa import Reader, ReadingSettings

    reader = Reader.load(model, settings=ReadingSettings(always_answer=True, n_best=200), dtype="float32")

    def scores_of(pair: Pair) -> dict[str, float]:
        spans = reader.answer(pair.question, pair.context).n_best
        return {span.text: span.score for span in reversed(spans)}

    return scores_of
