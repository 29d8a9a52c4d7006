"""The plain way to choose answers, one row and one Python object a span at a time, to hold the arrays against."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from ray_qa.reader.answers import confidence, failed, log_sum_exp
from ray_qa.records import Answer, Span
from ray_qa.settings import ReadingSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A span of one window, as character range of the row's context."""

    start: int
    end: int
    start_score: float
    end_score: float

    @property
    def score(self) -> float:
        """Start score + end score."""
        return self.start_score + self.end_score


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredWindow:
    """What the model said about one window: its best spans, its null score, the log-sum-exp over all its spans."""

    candidates: tuple[Candidate, ...]
    null_score: float
    log_sum: float
    finite: bool = True
    out_of_memory: bool = False


def choose_answer(
    context: str, windows: list[ScoredWindow], settings: ReadingSettings, *, question_cut: bool = False
) -> Answer:
    """Choose the best span over all windows, or no answer.

    The null score is the minimum over the windows (the SQuAD v2 convention). The row abstains when null score − best
    span score is above ``null_threshold``, unless ``always_answer``.
    """
    if any(window.out_of_memory for window in windows):
        return failed("out_of_memory", windows=len(windows), question_cut=question_cut)
    if not all(window.finite for window in windows):
        return failed("not_finite", windows=len(windows), question_cut=question_cut)
    best = distinct_spans((candidate for window in windows for candidate in window.candidates), settings.n_best)
    if not best:
        return failed("context_no_text", windows=len(windows), question_cut=question_cut)

    top = best[0]
    null_score = min(window.null_score for window in windows)
    log_partition = log_sum_exp([null_score, *(window.log_sum for window in windows)])
    null_threshold = 0.0 if settings.null_threshold == "auto" else settings.null_threshold
    abstains = not settings.always_answer and null_score - top.score > null_threshold
    text = context[top.start : top.end]
    if not text.strip() or not 0 <= top.start < top.end <= len(context):
        return failed("offsets_wrong", windows=len(windows), question_cut=question_cut)
    return Answer(
        status="no_answer" if abstains else "answered",
        answer=None if abstains else text,
        span=text,
        start=top.start,
        end=top.end,
        start_score=top.start_score,
        end_score=top.end_score,
        null_score=null_score,
        log_partition=log_partition,
        confidence=confidence(null_score if abstains else top.score, log_partition),
        windows=len(windows),
        n_best=tuple(
            Span(
                text=context[span.start : span.end],
                start=span.start,
                end=span.end,
                start_score=span.start_score,
                end_score=span.end_score,
            )
            for span in best
        ),
        question_cut=question_cut,
    )


def distinct_spans(candidates: Iterable[Candidate], n_best: int) -> list[Candidate]:
    """The ``n_best`` best candidates with distinct character ranges, best first; ties earlier, then shorter first.

    A range that several windows or tokens propose counts once, with its best score.
    """
    ranked = sorted(candidates, key=lambda candidate: (-candidate.score, candidate.start, candidate.end))
    kept: dict[tuple[int, int], Candidate] = {}
    for candidate in ranked:
        if len(kept) == n_best:
            break
        if candidate.score > -math.inf:
            kept.setdefault((candidate.start, candidate.end), candidate)
    return list(kept.values())
