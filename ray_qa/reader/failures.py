"""Why a row failed, in a sentence for whoever asked one question: the rule, what was found, and what to do."""

from __future__ import annotations

from ray_qa.records import Reason
from ray_qa.settings import ReadingSettings


def failure_in_words(reason: Reason | None, question: str, context: str, settings: ReadingSettings) -> str:
    """One line that ends with the reason's name, which docs/columns.md explains.

    Args:
        reason: of the failed answer.
        question: the row's.
        context: the row's.
        settings: it was read with.
    """
    match reason:
        case "question_empty":
            return f"`question` must be a text, but {blank_in_words(question)} ({reason})"
        case "context_empty":
            return f"`context` must be a text, but {blank_in_words(context)} ({reason})"
        case "question_no_text":
            return f"`question` must have text that the tokenizer knows, but {question!r:.60} has none ({reason})"
        case "context_no_text":
            return f"`context` must have text that the tokenizer knows, but has none ({reason})"
        case "question_not_unicode" | "context_not_unicode":
            name = reason.partition("_")[0]
            return f"`{name}` must be text that UTF-8 can hold, but has a lone surrogate; write it anew ({reason})"
        case "context_too_long":
            return (
                f"`context` must have at most {settings.max_context_chars:,} characters (`max_context_chars`), but has "
                f"{len(context):,}; raise --max-context-chars, or give the part of it that matters ({reason})"
            )
        case "out_of_memory":
            return (
                f"a window of `max_tokens` ({settings.max_tokens:,}) tokens must fit the memory, but does not for "
                f"{question!r:.60}; lower --max-tokens ({reason})"
            )
        case "not_finite":
            return (
                f"`model` must give finite numbers, but does not for {question!r:.60}; try --dtype float32 ({reason})"
            )
        case _:
            return f"`question` and `context` must be a row that can be read, but {question!r:.60} fails with {reason}"


def blank_in_words(text: str) -> str:
    """What a text has that has nothing to read."""
    return "has white space alone" if text else "is empty"
