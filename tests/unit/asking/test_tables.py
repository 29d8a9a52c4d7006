from __future__ import annotations

import io

import pytest
from rich.console import Console

from ray_qa.asking.inspect import as_json, parse_answer
from ray_qa.asking.tables import print_inspection
from ray_qa.asking.verdict import verdict
from ray_qa.reader.inspection import AnswerGiven
from tests.unit.asking.inspections import inspection_of

QUESTION, CONTEXT = "Who was he?", "Jim was a puppet " * 20


def printed(question: str, context: str, most_tokens: int, width: int = 140, *, label: bool = False) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    print_inspection(inspection_of(question, context, label=label), most_tokens, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [80, 140])
def test_all_tokens_are_shown_where_all_are_asked_for(width: int) -> None:
    shown = printed(QUESTION, CONTEXT, 0, width)
    assert shown.count(" puppet ") >= 20
    assert " more" not in shown
    assert max(map(len, shown.split("best pairs")[0].splitlines())) <= width


def test_tokens_that_are_left_out_are_counted_and_those_that_matter_never_are() -> None:
    shown = printed(QUESTION, CONTEXT, 3, label=True)
    # CLS, four tokens of the question, SEP; then the best span, which is the label too.
    assert "start end label" in shown
    left_out = [int(line.split("⋮")[1].split()[0]) for line in shown.splitlines() if "⋮" in line]
    assert sum(left_out) == (1 + 4 + 1 + 80 + 1) - 4
    assert "start_positions 6, end_positions 6" in shown


def test_texts_give_no_orders_to_the_terminal() -> None:
    shown = printed("Who\x1b[31m?", "Jim\x1b[2J \x9b31m was", 0)
    assert "\x1b" not in shown
    assert "\x9b" not in shown


def test_the_verdict_adds_up() -> None:
    best, null, margin = verdict(inspection_of(QUESTION, CONTEXT, windows=2))
    assert best == "best span      3.50 = 2.00 (start, position 6) + 1.50 (end, position 6) in window 2: Jim"
    assert null == "no answer      0.00 = 1.00 + -1.00 of <s> in window 1, the smallest of all windows"
    assert margin == (
        "margin         3.50 = best span − no answer; no answer if below 0 (−`null_threshold`): the span is the answer"
    )


@pytest.mark.parametrize(
    ("flag", "text", "start"),
    [
        ("puppet", "puppet", None),
        ("puppet@22", "puppet", 22),
        ("puppet@", "puppet@", None),
        ("mail@22", "mail@22", None),  # the context has it
        ("@22", "@22", None),
        ("", "", None),
        ("two\nlines@3", "two\nlines", 3),
    ],
)
def test_an_answer_may_say_where_it_begins(flag: str, text: str, start: int | None) -> None:
    assert parse_answer(flag, "Jim was a puppet, mail@22") == AnswerGiven(text=text, start=start)


def test_json_has_what_follows_from_the_rest_too() -> None:
    shown = as_json(inspection_of(QUESTION, CONTEXT, windows=2))
    assert (shown["null_score"], shown["margin"]) == (0.0, 3.5)
    assert len(shown["windows"]) == 2
    assert shown["windows"][0]["tokens"][0]["piece"] == "<s>"
