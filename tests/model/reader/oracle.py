"""The plain way to read, one window at a time with transformers alone, to hold ours against."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import regex
import torch
from transformers import AutoModelForQuestionAnswering, AutoTokenizer

from ray_qa.settings import ReadingSettings


@dataclass(frozen=True, kw_only=True)
class PlainAnswer:
    """The best span of all windows, the smallest null score, and the log-sum-exp over all spans and the null."""

    start: int
    end: int
    start_score: float
    end_score: float
    null_score: float
    log_partition: float
    windows: int
    ranked: tuple[tuple[int, int], ...]
    """All distinct character ranges, best first."""


@dataclass(frozen=True, kw_only=True)
class _Span:
    start: int
    end: int
    start_score: float
    end_score: float

    @property
    def score(self) -> float:
        return self.start_score + self.end_score


def read_plainly(folder: Path, question: str, context: str, settings: ReadingSettings) -> PlainAnswer:
    """Read one row: every window through the model alone, every pair of context tokens in a double loop."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForQuestionAnswering.from_pretrained(folder, dtype=torch.float32).eval()
    encoded = tokenizer(
        question.lstrip(),
        context,
        truncation="only_second",
        max_length=settings.max_tokens,
        stride=settings.stride,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )
    spans: list[_Span] = []
    nulls: list[float] = []
    for window, input_ids in enumerate(encoded["input_ids"]):
        inputs = {name: torch.tensor([encoded[name][window]]) for name in tokenizer.model_input_names}
        with torch.no_grad():
            output = model(**inputs)
        starts, ends = output.start_logits[0].tolist(), output.end_logits[0].tolist()
        null_at = input_ids.index(tokenizer.cls_token_id)
        nulls.append(starts[null_at] + ends[null_at])
        ranges = _ranges(encoded["offset_mapping"][window], encoded.sequence_ids(window), context)
        spans += _all_spans(starts, ends, ranges, settings.max_answer_tokens)
    ranked = sorted(spans, key=lambda span: (-span.score, span.start, span.end))
    best = ranked[0]
    return PlainAnswer(
        start=best.start,
        end=best.end,
        start_score=best.start_score,
        end_score=best.end_score,
        null_score=min(nulls),
        log_partition=math.log(math.fsum(math.exp(score) for score in [min(nulls), *(span.score for span in spans)])),
        windows=len(encoded["input_ids"]),
        ranked=tuple(dict.fromkeys((span.start, span.end) for span in ranked)),
    )


def _ranges(offsets: list[tuple[int, int]], sides: list[int | None], context: str) -> list[tuple[int, int] | None]:
    """Of every token its trimmed character range in the context, extended to whole graphemes, if it has one."""
    borders = [0, *(match.end() for match in regex.finditer(r"\X", context))]
    ranges: list[tuple[int, int] | None] = []
    for (start, end), side in zip(offsets, sides, strict=True):
        if side != 1 or not context[start:end].strip():
            ranges.append(None)
            continue
        inner, inner_end = _trimmed(context, start, end)
        whole = max(at for at in borders if at <= inner), min(at for at in borders if at >= inner_end)
        ranges.append(_trimmed(context, *whole))
    return ranges


def _trimmed(context: str, start: int, end: int) -> tuple[int, int]:
    written = context[start:end]
    inner = start + len(written) - len(written.lstrip())
    return inner, inner + len(written.strip())


def _all_spans(
    starts: list[float], ends: list[float], ranges: list[tuple[int, int] | None], max_answer_tokens: int
) -> list[_Span]:
    spans = []
    for i, first in enumerate(ranges):
        for j in range(i, min(i + max_answer_tokens, len(ranges))):
            last = ranges[j]
            if first is not None and last is not None:
                spans.append(_Span(start=first[0], end=last[1], start_score=starts[i], end_score=ends[j]))
    return spans
