"""The records that pass between the parts: a row goes in, an answer comes out, a unit is summed up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["answered", "no_answer", "failed"]
"""What became of a row."""

Reason = Literal[
    "question_missing",
    "question_empty",
    "question_not_unicode",
    "question_no_text",
    "context_missing",
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
    question_cut: bool = False
    """Whether the question was longer than ``max_question_tokens``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many rows came to which end. ``rows = answered + no_answer + failed``, always."""

    rows: int = 0
    answered: int = 0
    no_answer: int = 0
    failed: int = 0
    questions_cut: int = 0
    windows: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            rows=self.rows + other.rows,
            answered=self.answered + other.answered,
            no_answer=self.no_answer + other.no_answer,
            failed=self.failed + other.failed,
            questions_cut=self.questions_cut + other.questions_cut,
            windows=self.windows + other.windows,
        )

    @property
    def reconcile(self) -> bool:
        """Whether every row came to exactly one end."""
        return self.rows == self.answered + self.no_answer + self.failed


def count_answers(answers: list[Answer]) -> Counts:
    """Count the outcomes of a unit's rows."""
    statuses = [answer.status for answer in answers]
    return Counts(
        rows=len(answers),
        answered=statuses.count("answered"),
        no_answer=statuses.count("no_answer"),
        failed=statuses.count("failed"),
        questions_cut=sum(answer.question_cut for answer in answers),
        windows=sum(answer.windows for answer in answers),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitSummary:
    """One published part: its unit, its counts, where and when it was made (seconds since the epoch)."""

    unit: int
    counts: Counts
    replica: str
    encoding_started: float
    published: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """What a whole ``annotate`` run did; ``run.json`` holds the same and more."""

    output: str
    counts: Counts
    units: int
    scored_rows: int
    """Rows scored by this very run; the rest had been finished by earlier ones."""
    start_seconds: float
    """From the call to the first unit's encoding: checks, Ray, model loading; not Python's own imports before it."""
    run_seconds: float
    """From the start of the first unit's encoding to the last part's publication."""
    exit_code: int = 0

    @property
    def rows_per_second(self) -> float:
        """Rows scored by this run per second of its run time; 0 where it had nothing to do."""
        return self.scored_rows / self.run_seconds if self.run_seconds > 0 else 0.0
