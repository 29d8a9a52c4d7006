"""Answers for people: each marked in its sentence."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rich.text import Text

SHOWN_CHARACTERS = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What stands before and after a span."""

    before: str
    after: str


def answer_in_its_sentence(
    question: str, context: str, answer: str | None, start: int | None, confidence: float | None
) -> Text:
    """A question and, under it, the sentence with the answer marked; or that there is none.

    Args:
        question: the question.
        context: the text that the answer is from.
        answer: ``None`` for no answer.
        start: where the answer begins in the context.
        confidence: of the outcome, from 0 to 1.
    """
    text = Text.assemble((printable(question), "bold"), "\n  → ")
    if answer is None or start is None:
        text.append("no answer", style="italic")
    else:
        around = surroundings(context, start, start + len(answer))
        text.append(printable(around.before))
        text.append(f"[{printable(answer)}]", style="bold green")
        text.append(printable(around.after))
    return text if confidence is None else text.append(f"  ({confidence:.0%})", style="dim")


def printable(text: str) -> str:
    """The text without what would break its line, turn its direction, or tell the terminal to do something."""
    return "".join(each if each.isprintable() else " " if each.isspace() else "\ufffd" for each in text)


def surroundings(context: str, start: int, end: int) -> Surroundings:
    """What stands around a span in its sentence, shortened to fit a line."""
    before = re.split(r"(?<=[.!?])\s|\n", context[:start])[-1]
    after = re.split(r"(?<=[.!?])(?=\s)|\n", context[end:])[0]
    if len(before) > SHOWN_CHARACTERS:
        before = "… " + before[-SHOWN_CHARACTERS:].partition(" ")[2]
    if len(after) > SHOWN_CHARACTERS:
        after = after[:SHOWN_CHARACTERS].rpartition(" ")[0] + " …"
    return Surroundings(before=before, after=after)
