"""An inspection as one page of HTML that needs nothing else: no script, no network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ray_qa.asking.sentences import surroundings
from ray_qa.asking.verdict import describe_label, verdict
from ray_qa.reader.inspection import InspectedToken, InspectedWindow, Inspection, RankedPair
from ray_qa.runs.html_pages import html_page


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownToken:
    """A token as the page has it: what stands between it and the one before, and its own text."""

    token: InspectedToken
    gap: str
    """Text of the question or the context that belongs to no token: white space."""
    text: str
    start_heat: int
    """Of the probability, in percent; its square root, so that small ones show."""
    end_heat: int
    classes: str
    figures: str
    """What is shown when the pointer is over it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownWindow:
    """A window as the page has it."""

    number: int
    window: InspectedWindow
    characters: tuple[int, int]
    tokens: tuple[ShownToken, ...]
    label: tuple[str, ...]


def page(inspection: Inspection, model: str) -> str:
    """The page; whatever is from outside is escaped."""
    answer = inspection.answer
    return html_page(
        "inspection.html.jinja",
        inspection=inspection,
        model=model,
        answer=answer,
        around=surroundings(inspection.context, answer.start or 0, answer.end or 0),
        verdict=list(verdict(inspection)),
        windows=[_window(number, inspection) for number in range(len(inspection.windows))],
    )


def _window(number: int, inspection: Inspection) -> ShownWindow:
    window = inspection.windows[number]
    best = inspection.best[0] if inspection.best[0].window == number else None
    return ShownWindow(
        number=number + 1,
        window=window,
        characters=window.text_range(),
        tokens=tuple(_tokens(window, best, inspection)),
        label=() if window.label is None else tuple(describe_label(window.label).splitlines()),
    )


def _tokens(window: InspectedWindow, best: RankedPair | None, inspection: Inspection) -> Iterator[ShownToken]:
    """The tokens with the text that they stand for; of several that share a character the first has it."""
    texts = {"question": inspection.question, "context": inspection.context}
    part, told = "", 0
    for token in window.tokens:
        gap = text = ""
        if token.char_start is None or token.char_end is None:
            text = token.piece
        else:
            if token.part != part:
                told = token.char_start
            whole = texts[token.part]
            begins = max(told, token.char_start)
            gap, text = whole[told:begins], whole[begins : token.char_end]
            told = max(told, token.char_end)
        part = token.part
        yield ShownToken(
            token=token,
            gap=gap,
            text=text,
            start_heat=round(100 * token.start_probability**0.5),
            end_heat=round(100 * token.end_probability**0.5),
            classes=" ".join([token.part, *_marks(token, window, best)]),
            figures=_figures(token),
        )


def _marks(token: InspectedToken, window: InspectedWindow, best: RankedPair | None) -> Iterator[str]:
    if best is not None and best.start_position <= token.position <= best.end_position:
        yield "best"
    label = window.label
    if label is not None and label.start_position <= token.position <= label.end_position:
        yield "label"


def _figures(token: InspectedToken) -> str:
    place = "" if token.char_start is None else f" · characters {token.char_start}–{token.char_end}"
    return (
        f"position {token.position} · {token.part}{place}\n"
        f"piece {token.piece} · id {token.id}\n"
        f"start_logit {token.start_logit:.3f} · P(start) {token.start_probability:.2%}\n"
        f"end_logit {token.end_logit:.3f} · P(end) {token.end_probability:.2%}"
    )
