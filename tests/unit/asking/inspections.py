"""Inspections made by hand, of texts whose tokens are words and what is between them."""

from __future__ import annotations

import re
from collections.abc import Callable

from ray_qa.reader.inspection import (
    InspectedLabel,
    InspectedToken,
    InspectedWindow,
    Inspection,
    Part,
    RankedPair,
)
from ray_qa.records import Answer, Span

CLS, SEP = "<s>", "</s>"


def inspection_of(
    question: str, context: str, *, piece_of: Callable[[str], str] = str, windows: int = 1, label: bool = False
) -> Inspection:
    """A row whose best span is its first context token, in the last window; each window holds the whole context.

    ``piece_of`` makes the vocabulary's piece of a token's text.
    """
    tokens = _tokens(question, context, piece_of)
    first = next(token for token in tokens if token.part == "context")
    assert first.char_start is not None
    text = context[first.char_start : first.char_end]
    end = first.char_start + len(text)
    span = Span(text=text, start=first.char_start, end=end, start_score=2.0, end_score=1.5)
    shown = InspectedLabel(
        start_position=first.position,
        end_position=first.position,
        holds_answer=True,
        start_loss=0.5,
        end_loss=1.0,
        loss=0.75,
    )
    window = InspectedWindow(tokens=tokens, null_position=0, label=shown if label else None)
    pair = RankedPair(
        span=span,
        window=windows - 1,
        start_position=first.position,
        end_position=first.position,
        probability=0.75,
    )
    return Inspection(
        question=question,
        context=context,
        windows=(window,) * windows,
        best=(pair,),
        answer=Answer(
            status="answered", answer=text, span=text, start=span.start, end=span.end, confidence=0.75, windows=windows
        ),
        null_window=0,
        null_threshold=0.0,
        always_answer=False,
    )


def _tokens(question: str, context: str, piece_of: Callable[[str], str]) -> tuple[InspectedToken, ...]:
    pieces: list[tuple[Part, str, int | None, int | None]] = [("special", CLS, None, None)]
    pieces += [("question", match[0], *match.span()) for match in re.finditer(r"\w+|[^\w\s]", question)]
    pieces.append(("special", SEP, None, None))
    pieces += [("context", match[0], *match.span()) for match in re.finditer(r"\w+|[^\w\s]", context)]
    pieces.append(("special", SEP, None, None))
    return tuple(
        InspectedToken(
            position=position,
            id=position,
            piece=piece_of(text),
            part=part,
            char_start=start,
            char_end=end,
            eligible=part == "context",
            start_logit=1.0,
            end_logit=-1.0,
            start_probability=1 / len(pieces),
            end_probability=1 / len(pieces),
        )
        for position, (part, text, start, end) in enumerate(pieces)
    )
