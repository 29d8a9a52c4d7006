"""What a reader shows of one question and its context: every token that goes in, and all that the model says of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ray_qa.records import Answer, Span

Part = Literal["special", "question", "context"]
"""What a token is of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectedToken:
    """A token of a window, and what the model says of it.

    The logits are unnormalised scores of the token as the answer's first and as its last. The probabilities are their
    softmax over all tokens of the window, question and specials included, as the loss in training has it.
    """

    position: int
    """In the window, from 0: what ``start_positions`` and ``end_positions`` count."""
    id: int
    piece: str
    """As the vocabulary has it."""
    part: Part
    char_start: int | None
    """Its half-open range of code points in the question or the context, as answers are cut by it (without white space
    at its ends); ``None`` where it is special."""
    char_end: int | None
    eligible: bool
    """Whether a span may start or end with it."""
    start_logit: float
    end_logit: float
    start_probability: float
    end_probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectedLabel:
    """What training would get for a window, and the loss that comes of it.

    ``start_position`` and ``end_position`` are those of the CLS/BOS token unless the window ``holds_answer``. The two
    losses are cross-entropies, −log of the probability at the position; ``loss`` is their mean.
    """

    start_position: int
    end_position: int
    holds_answer: bool
    start_loss: float
    end_loss: float
    loss: float


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectedWindow:
    """A window as the model reads it: CLS/BOS, question, a slice of the context, and what stands between them."""

    tokens: tuple[InspectedToken, ...]
    null_position: int
    """Where the CLS/BOS token lies."""
    label: InspectedLabel | None = None
    """Where an answer was given."""

    @property
    def null_score(self) -> float:
        """Start + end logit of the CLS/BOS token."""
        null = self.tokens[self.null_position]
        return null.start_logit + null.end_logit

    def text_range(self) -> tuple[int, int]:
        """The half-open range of the context that the window holds."""
        of_context = [token for token in self.tokens if token.part == "context"]
        return of_context[0].char_start or 0, max(token.char_end or 0 for token in of_context)


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedPair:
    """A pair of tokens, start ≤ end, of one window, and the span of the context between them."""

    span: Span
    window: int
    """From 0."""
    start_position: int
    end_position: int
    probability: float
    """exp(score − log_partition): its share among all spans of all windows, and the null."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerGiven:
    """The answer that training would be given; an empty text stands for a question without an answer."""

    text: str
    start: int | None = None
    """Where in the context it begins, in code points; ``None`` where that is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectedGold:
    """The answer that was given, as training finds it in the context: a half-open range of code points."""

    text: str
    start: int
    end: int
    repaired: bool
    """It is not where it was said to be, but at exactly one other place."""
    aligned: bool
    """Whether both of its ends lie on token borders, so that its tokens decode to exactly it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What goes into a span model for one question and its context, and what comes out."""

    question: str
    context: str
    windows: tuple[InspectedWindow, ...]
    best: tuple[RankedPair, ...]
    """The best pairs over all windows with distinct spans, best first."""
    answer: Answer
    """What a reader makes of it."""
    null_window: int
    """The window with the smallest null score, from 0: that score stands for the row."""
    null_threshold: float
    always_answer: bool
    gold: InspectedGold | None = None
    """``None`` where no answer was given, or the empty one, which stands for a question without an answer."""

    @property
    def null_score(self) -> float:
        """The row's: the smallest over its windows."""
        return self.windows[self.null_window].null_score

    @property
    def margin(self) -> float:
        """Best span score − null score; no answer where it is below −``null_threshold``."""
        return self.best[0].span.score - self.null_score
