"""An inspection in the terminal: a table of tokens for each window, the best pairs, and why one of them won."""

from __future__ import annotations

from itertools import groupby

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ray_qa.asking.sentences import answer_in_its_sentence, printable
from ray_qa.asking.verdict import describe_label, verdict
from ray_qa.reader.inspection import InspectedLabel, InspectedToken, InspectedWindow, Inspection, RankedPair
from ray_qa.runs.live_line import counted

START, END, GOOD, LABEL = "cyan", "magenta", "bold green", "yellow"
"""Colours of what is of an answer's start, of its end, of the best span, and of the label."""
BAR = 8
WIDE = 124
"""Columns of a terminal that has room for bars and long headings."""
EIGHTHS = " ▏▎▍▌▋▊▉█"


def print_inspection(inspection: Inspection, most_tokens: int, console: Console) -> None:
    """Print all of it, of each window at most so many tokens (0: all of them)."""
    is_wide = console.width >= WIDE
    for number, window in enumerate(inspection.windows):
        first, end = window.text_range()
        console.print(
            Text.assemble(
                (f"window {number + 1} of {len(inspection.windows)}", "bold"),
                f" · {counted(len(window.tokens), 'token')} · characters {first}–{end} of the context",
            )
        )
        best = inspection.best[0] if inspection.best[0].window == number else None
        console.print(_token_table(window, best, most_tokens, is_wide))
        if window.label is not None:
            console.print(Text(describe_label(window.label), style=LABEL), soft_wrap=True)
        console.print()
    console.print(Text("best pairs of start and end", style="bold"))
    console.print(_pair_table(inspection, is_wide), Text())
    print_verdict(inspection, console)


def print_verdict(inspection: Inspection, console: Console) -> None:
    """Print the answer, and why it is that."""
    answer = inspection.answer
    for line in verdict(inspection):
        console.print(Text(line), soft_wrap=True)
    console.print()
    console.print(
        answer_in_its_sentence(inspection.question, inspection.context, answer.answer, answer.start, answer.confidence),
        soft_wrap=True,
    )


def _token_table(window: InspectedWindow, best: RankedPair | None, most_tokens: int, is_wide: bool) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1), collapse_padding=not is_wide)
    table.add_column("position" if is_wide else "#", justify="right", no_wrap=True)
    table.add_column("piece", no_wrap=True, max_width=18 if is_wide else 10)
    table.add_column("of", no_wrap=True)
    table.add_column("characters" if is_wide else "chars", justify="right", no_wrap=True)
    for of, style in (("start", START), ("end", END)):
        table.add_column(f"{of}_logit" if is_wide else of, justify="right", no_wrap=True, header_style=style)
        table.add_column(f"P({of})", no_wrap=True, header_style=style)
    table.add_column("", no_wrap=True)
    shown = _positions_to_show(window, best, most_tokens)
    for is_shown, tokens in groupby(window.tokens, lambda token: token.position in shown):
        if not is_shown:
            table.add_row("⋮", Text(f"{len(list(tokens)):,} more", style="dim italic"))
            continue
        for token in tokens:
            table.add_row(*_cells(token, window, best, BAR if is_wide else 0))
    return table


def _positions_to_show(window: InspectedWindow, best: RankedPair | None, most: int) -> set[int]:
    """The likeliest tokens, and those that are told of elsewhere."""
    if not most or len(window.tokens) <= most:
        return set(range(len(window.tokens)))
    told = {window.null_position}
    if window.label is not None:
        told |= {window.label.start_position, window.label.end_position}
    if best is not None:
        told |= {best.start_position, best.end_position}
    likeliest = sorted(window.tokens, key=lambda token: -max(token.start_probability, token.end_probability))
    return told | {token.position for token in likeliest[:most]}


def _cells(token: InspectedToken, window: InspectedWindow, best: RankedPair | None, bar: int) -> list[Text]:
    inside = best is not None and best.start_position <= token.position <= best.end_position
    style = GOOD if inside else "" if token.eligible else "dim"
    characters = "" if token.char_start is None else f"{token.char_start}–{token.char_end}"
    return [
        Text(str(token.position), style=style),
        Text(printable(token.piece), style=style),
        Text(token.part, style=style),
        Text(characters, style=style),
        Text(f"{token.start_logit:.2f}", style=style),
        _bar(token.start_probability, START, bar),
        Text(f"{token.end_logit:.2f}", style=style),
        _bar(token.end_probability, END, bar),
        _marks(token.position, window.label, best),
    ]


def _bar(probability: float, colour: str, width: int) -> Text:
    """A probability in percent, and as a bar."""
    eighths = round(probability * width * 8)
    bar = "█" * (eighths // 8) + EIGHTHS[eighths % 8].strip()
    return Text.assemble((f"{probability:6.1%}", "" if probability >= 0.01 else "dim"), (f" {bar:<{width}}", colour))


def _marks(position: int, label: InspectedLabel | None, best: RankedPair | None) -> Text:
    """Whether the token at a position is start or end of the best span, and of the label."""
    marks = []
    if best is not None:
        marks += [("start", GOOD)] if position == best.start_position else []
        marks += [("end", GOOD)] if position == best.end_position else []
    if label is not None:
        marks += [("label", LABEL)] if position in (label.start_position, label.end_position) else []
    return Text(" ").join(Text(word, style=style) for word, style in marks)


def _pair_table(inspection: Inspection, is_wide: bool) -> Table:
    several = len(inspection.windows) > 1
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1))
    of_span = ("start", "end", *(("window",) if several else ()))
    for heading in (*of_span, *(("start_logit", "end_logit") if is_wide else ()), "sum", "share"):
        table.add_column(heading, justify="right", no_wrap=True, min_width=6)
    table.add_column("span", no_wrap=True, overflow="ellipsis")
    for rank, pair in enumerate(inspection.best):
        table.add_row(
            str(pair.start_position),
            str(pair.end_position),
            *((str(pair.window + 1),) if several else ()),
            *((f"{pair.span.start_score:.2f}", f"{pair.span.end_score:.2f}") if is_wide else ()),
            f"{pair.span.score:.2f}",
            f"{pair.probability:.1%}",
            Text(printable(pair.span.text)),
            style="" if rank else GOOD,
        )
    return table
