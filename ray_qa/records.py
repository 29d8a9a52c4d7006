"""The records that pass between the parts: a row goes in, an answer comes out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["answered", "no_answer", "failed"]
"""What became of a row."""

Reason = Literal[
    "question_missing",
    "question_not_text",
    "question_empty",
    "question_not_unicode",
    "question_no_text",
    "context_missing",
    "context_not_text",
    "context_empty",
    "context_not_unicode",
    "context_too_long",
    "context_no_text",
    "not_finite",
    "out_of_memory",
    "offsets_wrong",
    "worker_died",
]
"""Why a row failed; docs/columns.md explains each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One of the questions that every context of a corpus is asked, and what its answers are known by."""

    id: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One question and the context to answer it from. ``None`` is allowed and comes out as a failed row."""

    question: str | None
    context: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A run of context tokens, as text and as a half-open range of Unicode code points of the context."""

    text: str
    start: int
    end: int
    start_score: float
    """Logit of the span's first token."""
    end_score: float
    """Logit of the span's last token."""

    @property
    def score(self) -> float:
        """Start score + end score: what spans are ranked by."""
        return self.start_score + self.end_score


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """One of several answers from one context: a span, and how probable it is."""

    text: str
    start: int
    end: int
    start_score: float
    end_score: float
    confidence: float
    """Its share of all spans of all windows and the null: mentions share in 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a reader says about one row; the fields are the output columns of ``annotate``.

    ``span`` … ``end_score`` describe the best span whether or not it is given as the answer; they are ``None`` only
    where ``status`` is ``failed``.
    """

    status: Status
    answer: str | None = None
    span: str | None = None
    start: int | None = None
    end: int | None = None
    start_score: float | None = None
    end_score: float | None = None
    null_score: float | None = None
    """Smallest CLS/BOS start + end logit over the row's windows."""
    log_partition: float | None = None
    """log Σ exp(score) over every valid span of every window, and the null."""
    confidence: float | None = None
    """Calibrated probability of the outcome, between 0 and 1."""
    reason: Reason | None = None
    windows: int = 0
    n_best: tuple[Span, ...] = ()
    """The best distinct character spans, best first; empty unless the row was scored."""
    mentions: tuple[Mention, ...] = ()
    """The best spans that do not overlap, best first, ``span`` before all others; empty unless asked for."""
    question_cut: bool = False
    """Whether the question was longer than ``max_question_tokens``."""
