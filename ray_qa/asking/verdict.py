"""An inspection in words: why the best span is the answer or is not, and what a window is labelled with."""

from __future__ import annotations

from collections.abc import Iterator

from ray_qa.asking.sentences import printable
from ray_qa.reader.inspection import InspectedLabel, Inspection


def verdict(inspection: Inspection) -> Iterator[str]:
    """Which span is best, what it is held against, and what comes of it; a line each."""
    best, null = inspection.best[0], inspection.windows[inspection.null_window]
    token = null.tokens[null.null_position]
    yield (
        f"best span   {best.span.score:7.2f} = {best.span.start_score:.2f} (start, position {best.start_position}) "
        f"+ {best.span.end_score:.2f} (end, position {best.end_position}){_in_window(best.window, inspection)}: "
        f"{printable(best.span.text)}"
    )
    yield (
        f"no answer   {inspection.null_score:7.2f} = {token.start_logit:.2f} + {token.end_logit:.2f} of "
        f"{printable(token.piece)}{_in_window(inspection.null_window, inspection)}"
        f"{', the smallest of all windows' if len(inspection.windows) > 1 else ''}"
    )
    outcome = "no answer" if inspection.answer.answer is None else "the span is the answer"
    if inspection.always_answer:
        yield f"margin      {inspection.margin:7.2f} = best span − no answer; an answer is always given"
    else:
        yield (
            f"margin      {inspection.margin:7.2f} = best span − no answer; no answer if below "
            f"{0.0 - inspection.null_threshold:g} (−`null_threshold`): {outcome}"
        )


def describe_label(label: InspectedLabel) -> str:
    """A window's label and its loss."""
    why = "" if label.holds_answer else " (no answer, or not all of it, in this window: the CLS/BOS token)"
    return (
        f"label: start_positions {label.start_position}, end_positions {label.end_position}{why}\n"
        f"loss:  {label.loss:.3f} = ({label.start_loss:.3f} + {label.end_loss:.3f}) / 2, "
        "the cross-entropies −ln P(start) and −ln P(end) there"
    )


def _in_window(number: int, inspection: Inspection) -> str:
    return f" in window {number + 1}" if len(inspection.windows) > 1 else ""
