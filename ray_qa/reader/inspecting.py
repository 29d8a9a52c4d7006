"""Inspecting one row: read the usual way, window by window, with the logits kept and told token by token.

Shapes: W windows, T tokens of one window, Q tokens of the question.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ray_qa.errors import InputError
from ray_qa.reader.answers import choose_answers, log_sum_exp
from ray_qa.reader.arrays import Floats, to_numpy
from ray_qa.reader.backend import WindowScores, search_spans
from ray_qa.reader.batching import BatchBudget
from ray_qa.reader.calibration import Decision
from ray_qa.reader.collate import Batch, Template
from ray_qa.reader.failures import failure_in_words
from ray_qa.reader.inspected_labels import find_answer, label_with_loss, positions_of_answer
from ray_qa.reader.inspection import AnswerGiven, InspectedToken, InspectedWindow, Inspection, Part, RankedPair
from ray_qa.reader.pair_tokenizer import PairTokenizer
from ray_qa.reader.scoring import score_windows
from ray_qa.reader.spans import WindowSpans
from ray_qa.records import Answer, Row, Span
from ray_qa.settings import ReadingSettings

if TYPE_CHECKING:
    from ray_qa.reader.limits import Limits
    from ray_qa.reader.span_model import SpanModel

MOST_WINDOWS = 64
"""More are of no use to anyone who wants to see them."""


def inspect_row(
    question: str,
    context: str,
    given: AnswerGiven | None,
    tokenizer: PairTokenizer,
    model: SpanModel,
    settings: ReadingSettings,
    decision: Decision,
) -> Inspection:
    """Read one row and tell all that the model says of it.

    Args:
        question: the row's.
        context: the row's.
        given: an answer to label the windows with, if there is one.
        tokenizer: the model's.
        model: what gives the logits.
        settings: how windows are cut and answers chosen; ``n_best`` pairs are told.
        decision: when there is no answer, and what confidence stands for.

    Raises:
        InputError: if the row cannot be read, has more than ``MOST_WINDOWS`` windows, or the answer cannot be used.
    """
    row = Row(question=question, context=context)
    encoded = tokenizer.encode([row], settings.max_question_tokens, settings.max_context_chars)
    windows = encoded.windows(settings, tokenizer.template.special_tokens)
    if len(windows) > MOST_WINDOWS:
        raise InputError(
            f"`context` must make at most {MOST_WINDOWS} windows to be inspected, but makes {len(windows)}; "
            "give the part of it that matters"
        )
    recorder = _Recorder(model=model)
    # A budget of one token gives every window a pass of its own, so without padding.
    scored = score_windows(recorder, tokenizer.template, encoded, windows, settings, BatchBudget(1))
    (answer,) = choose_answers(encoded, windows.row, scored, [context], settings, decision)
    if answer.status == "failed":
        raise InputError(failure_in_words(answer.reason, question, context, settings))

    found = find_answer(context, given, encoded) if given is not None and given.text else None
    positions = None if given is None else positions_of_answer(found, encoded, windows, tokenizer.template)
    ranges_Q2 = tokenizer.question_ranges(question, settings.max_question_tokens)
    inspected = []
    for number, seen in sorted(recorder.seen.items()):
        start_log_T, end_log_T = _log_softmax(seen.start_logits_T), _log_softmax(seen.end_logits_T)
        null_position = tokenizer.template.null_position
        label = None if positions is None else label_with_loss(positions, number, null_position, start_log_T, end_log_T)
        tokens = tuple(_tokens(seen, ranges_Q2.tolist(), start_log_T, end_log_T, tokenizer))
        inspected.append(InspectedWindow(tokens=tokens, null_position=null_position, label=label))
    return Inspection(
        question=question,
        context=context,
        windows=tuple(inspected),
        best=tuple(_pair(span, answer, recorder.seen) for span in answer.n_best),
        answer=answer,
        null_window=int(np.argmin(scored.null_score_W)),
        null_threshold=decision.null_threshold,
        always_answer=settings.always_answer,
        gold=None if found is None else found.gold,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _SeenWindow:
    """A window that was read alone, its logits of shape (T,) in float64, and its best spans."""

    batch: Batch
    start_logits_T: Floats
    end_logits_T: Floats
    spans: WindowSpans


@dataclass(slots=True, kw_only=True)
class _Recorder:
    """A backend that keeps, by its number, what it has seen of each window."""

    model: SpanModel
    seen: dict[int, _SeenWindow] = field(default_factory=dict)
    token_multiple: int = 1

    @property
    def limits(self) -> Limits:
        return self.model.limits

    def score(self, batch: Batch, null_position: int, settings: ReadingSettings) -> WindowScores:
        logits = self.model.forward(batch.input_ids_WT, batch.attention_mask_WT, batch.token_type_ids_WT)
        scores = search_spans(logits.start_logits_WT, logits.end_logits_WT, batch, null_position, settings)
        (window,) = batch.window_W.tolist()
        self.seen[window] = _SeenWindow(
            batch=batch,
            start_logits_T=to_numpy(logits.start_logits_WT)[0].astype(np.float64),
            end_logits_T=to_numpy(logits.end_logits_WT)[0].astype(np.float64),
            spans=scores.spans,
        )
        return scores


def _log_softmax(logits_T: Floats) -> Floats:
    return logits_T - log_sum_exp(logits_T.tolist())


def _tokens(
    seen: _SeenWindow,
    question_ranges: list[list[int]],
    start_log_T: Floats,
    end_log_T: Floats,
    tokenizer: PairTokenizer,
) -> Iterator[InspectedToken]:
    batch = seen.batch
    ids = batch.input_ids_WT[0].tolist()
    parts = _parts(len(ids), len(question_ranges), tokenizer.template)
    of_question = iter(question_ranges)
    of_context = zip(batch.char_start_WT[0].tolist(), batch.char_end_WT[0].tolist(), strict=True)
    for position, (part, own) in enumerate(zip(parts, of_context, strict=True)):
        char_start, char_end = next(of_question) if part == "question" else own
        yield InspectedToken(
            position=position,
            id=ids[position],
            piece=tokenizer.fast_tokenizer.id_to_token(ids[position]),
            part=part,
            char_start=None if part == "special" else char_start,
            char_end=None if part == "special" else char_end,
            eligible=bool(batch.eligible_WT[0, position]),
            start_logit=float(seen.start_logits_T[position]),
            end_logit=float(seen.end_logits_T[position]),
            start_probability=math.exp(start_log_T[position]),
            end_probability=math.exp(end_log_T[position]),
        )


def _parts(tokens: int, question_tokens: int, template: Template) -> list[Part]:
    """What each token of a window is of."""
    context_tokens = tokens - question_tokens - template.special_tokens
    runs: list[tuple[Part, int]] = [
        ("special", len(template.before)),
        ("question", question_tokens),
        ("special", len(template.between)),
        ("context", context_tokens),
        ("special", len(template.after)),
    ]
    return [part for part, count in runs for _ in range(count)]


def _pair(span: Span, answer: Answer, seen: dict[int, _SeenWindow]) -> RankedPair:
    """A span of the row with the tokens that gave it its score."""
    assert answer.log_partition is not None
    number, place = next(
        (number, place)
        for number, window in sorted(seen.items())
        for place, found in enumerate(_spans(window))
        if found == (span.start, span.end, span.start_score, span.end_score)
    )
    return RankedPair(
        span=span,
        window=number,
        start_position=int(seen[number].spans.first_WK[0, place]),
        end_position=int(seen[number].spans.last_WK[0, place]),
        probability=math.exp(min(0.0, span.score - answer.log_partition)),
    )


def _spans(window: _SeenWindow) -> Iterator[tuple[int, int, float, float]]:
    """Character range, start score and end score of a window's best spans."""
    spans = window.spans
    yield from zip(
        window.batch.char_start_WT[0, spans.first_WK[0]].tolist(),
        window.batch.char_end_WT[0, spans.last_WK[0]].tolist(),
        spans.start_score_WK[0].tolist(),
        spans.end_score_WK[0].tolist(),
        strict=True,
    )
