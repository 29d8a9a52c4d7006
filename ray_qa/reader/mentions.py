"""Several answers of one row: its best spans that do not overlap, found exactly, over all its windows.

Greedy: of all spans of all windows the best, then the best of those that do not overlap it, and so on. Stretches of
windows wait in a heap by their best spans. Where the best of all overlaps a span that was taken, its stretch is
divided there and both parts go back: their spans are all those of the stretch that keep clear of what was taken.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ray_qa.reader.answers import span_confidence
from ray_qa.reader.arrays import Bools, Floats, Ints
from ray_qa.reader.calibration import Decision
from ray_qa.reader.encoded import EncodedRows
from ray_qa.reader.scoring import ScoredWindows
from ray_qa.reader.windows import Windows
from ray_qa.records import Answer, Mention, Span
from ray_qa.settings import ReadingSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenWindow:
    """A window's T context tokens: their logits, their character ranges, and which may start and end a span.

    The ranges of those that may share characters, but neither their starts nor their ends ever go back.
    """

    start_logits_T: Floats
    end_logits_T: Floats
    char_start_T: Ints
    char_end_T: Ints
    eligible_T: Bools


@dataclass(frozen=True, slots=True, order=True)
class Found:
    """The best span of tokens ``first`` up to ``stop`` of a window; in order: by score, then earlier, then shorter."""

    minus_score: float
    start: int
    end: int
    window: int
    first: int
    stop: int
    start_score: float
    end_score: float


def with_mentions(
    answers: Sequence[Answer],
    encoded: EncodedRows,
    windows: Windows,
    scored: ScoredWindows,
    contexts: Sequence[str | None],
    settings: ReadingSettings,
    decision: Decision,
) -> list[Answer]:
    """The answers with their mentions: the row's span, then what :func:`disjoint_spans` finds; failed ones as they are.

    Args:
        answers: of all rows.
        encoded: the rows.
        windows: theirs.
        scored: what the model said about them, with its logits.
        contexts: of the rows.
        settings: ``answers_per_row``, ``min_confidence`` and ``max_answer_tokens``.
        decision: what their raw probabilities stand for.
    """
    bounds = np.searchsorted(windows.row, np.arange(len(answers) + 1)).tolist()
    return [
        answer
        if answer.status == "failed"
        else replace(
            answer,
            mentions=_mentions(
                answer, _opened(encoded, windows, scored, range(*own)), context or "", settings, decision
            ),
        )
        for answer, own, context in zip(answers, itertools.pairwise(bounds), contexts, strict=True)
    ]


def disjoint_spans(windows: Sequence[OpenWindow], taken: tuple[int, int], max_answer_tokens: int) -> Iterator[Found]:
    """The spans of one row that overlap neither a range that is taken nor one another, best first.

    Each is the best of all windows' spans, of at most ``max_answer_tokens`` tokens, that overlap none before it.

    Args:
        windows: the row's.
        taken: a range of characters.
        max_answer_tokens: longest span, in tokens.
    """
    every = [_best_span(windows, at, 0, len(one.char_end_T), max_answer_tokens) for at, one in enumerate(windows)]
    heap = [found for found in every if found is not None]
    heapq.heapify(heap)
    ranges = [taken]
    while heap:
        best = heapq.heappop(heap)
        clash = next((one for one in ranges if one[0] < best.end and best.start < one[1]), None)
        if clash is None:
            yield best
            clash = best.start, best.end
            ranges.append(clash)
        for first, stop in _clear_of(clash, windows[best.window], best):
            if (part := _best_span(windows, best.window, first, stop, max_answer_tokens)) is not None:
                heapq.heappush(heap, part)


def _clear_of(taken: tuple[int, int], window: OpenWindow, best: Found) -> Iterator[tuple[int, int]]:
    """The parts of a stretch before and after a range that its best span overlaps."""
    tokens = best.first + np.flatnonzero(window.eligible_T[best.first : best.stop])
    reaching = tokens[window.char_end_T[tokens] > taken[0]]
    yield best.first, int(reaching[0])
    before_its_end = tokens[window.char_start_T[tokens] < taken[1]]
    yield int(before_its_end[-1]) + 1, best.stop


def _best_span(
    windows: Sequence[OpenWindow], number: int, first: int, stop: int, max_answer_tokens: int
) -> Found | None:
    """The best span of tokens ``first`` up to ``stop`` of a window, if there is any."""
    window, own, lengths = windows[number], slice(first, stop), min(max_answer_tokens, stop - first)
    eligible_T = window.eligible_T[own]
    if not eligible_T.any():
        return None
    start_T = np.where(eligible_T, window.start_logits_T[own].astype(np.float64), -np.inf)
    end_T = np.where(eligible_T, window.end_logits_T[own].astype(np.float64), -np.inf)
    end_E = np.append(end_T, np.full(lengths - 1, -np.inf))
    score_TL = start_T[:, None] + np.lib.stride_tricks.sliding_window_view(end_E, lengths)
    start_S, length_S = np.nonzero(score_TL == score_TL.max())
    chars_S = window.char_start_T[own][start_S], window.char_end_T[own][start_S + length_S]
    best = np.lexsort(chars_S[::-1])[0]
    return Found(
        minus_score=-float(score_TL[start_S[best], length_S[best]]),
        start=int(chars_S[0][best]),
        end=int(chars_S[1][best]),
        window=number,
        first=first,
        stop=stop,
        start_score=float(start_T[start_S[best]]),
        end_score=float(end_T[start_S[best] + length_S[best]]),
    )


def _opened(encoded: EncodedRows, windows: Windows, scored: ScoredWindows, own: range) -> list[OpenWindow]:
    """The windows ``own`` of one row."""
    opened = []
    for number in own:
        context_at = encoded.context_offsets[encoded.context_R[windows.row[number]]]
        tokens = slice(context_at + windows.start[number], context_at + windows.stop[number])
        start_T, end_T = encoded.context_start[tokens], encoded.context_end[tokens]
        # Should a tokenizer's offsets jump back, the search is spared what it could not divide.
        goes_on_T = (start_T == np.maximum.accumulate(start_T)) & (end_T == np.maximum.accumulate(end_T))
        logits = scored.logits[number]
        opened.append(
            OpenWindow(
                start_logits_T=logits.start_T,
                end_logits_T=logits.end_T,
                char_start_T=start_T,
                char_end_T=end_T,
                eligible_T=(end_T > start_T) & goes_on_T,
            )
        )
    return opened


def _mentions(
    answer: Answer, windows: Sequence[OpenWindow], context: str, settings: ReadingSettings, decision: Decision
) -> tuple[Mention, ...]:
    top = answer.n_best[0]
    others = (
        Span(
            text=context[found.start : found.end],
            start=found.start,
            end=found.end,
            start_score=found.start_score,
            end_score=found.end_score,
        )
        for found in disjoint_spans(windows, (top.start, top.end), settings.max_answer_tokens)
    )
    mentions = (_mention(span, answer, decision) for span in itertools.chain([top], others))
    wanted = itertools.takewhile(lambda mention: mention.confidence >= settings.min_confidence, mentions)
    return tuple(itertools.islice(wanted, settings.answers_per_row))


def _mention(span: Span, answer: Answer, decision: Decision) -> Mention:
    assert answer.log_partition is not None
    return Mention(
        text=span.text,
        start=span.start,
        end=span.end,
        start_score=span.start_score,
        end_score=span.end_score,
        confidence=span_confidence(span.score, answer.log_partition, decision),
    )
