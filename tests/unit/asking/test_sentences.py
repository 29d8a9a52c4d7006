from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_qa.asking.sentences import SHOWN_CHARACTERS, answer_in_its_sentence, printable, surroundings

CONTEXT = "It rained. The bridge at Ulm was carried away, said Mr. Ek! Then it was dry."


def test_an_answer_is_marked_in_its_sentence() -> None:
    shown = answer_in_its_sentence("Which bridge?", CONTEXT, "Ulm", CONTEXT.index("Ulm"), 0.876)
    assert shown.plain == "Which bridge?\n  → The bridge at [Ulm] was carried away, said Mr.  (88%)"


def test_where_there_is_none_that_is_said() -> None:
    assert answer_in_its_sentence("Who?", CONTEXT, None, 3, 0.5).plain == "Who?\n  → no answer  (50%)"


@given(st.text(), st.text(min_size=1), st.text())
def test_what_is_shown_stands_next_to_the_answer_and_fits_a_line(before: str, answer: str, after: str) -> None:
    around = surroundings(before + answer + after, len(before), len(before) + len(answer))
    assert before.endswith(around.before.removeprefix("… "))
    assert after.startswith(around.after.removesuffix(" …"))
    assert max(len(around.before), len(around.after)) <= SHOWN_CHARACTERS + 2


@given(st.text())
def test_nothing_of_a_text_gives_orders_to_the_terminal(text: str) -> None:
    assert printable(text).isprintable()
    assert len(printable(text)) == len(text)


@pytest.mark.parametrize("order", ["\x1b[31m", "\x9b31m", "\a", "\r", "\u202e"])
def test_answers_give_none_either(order: str) -> None:
    context = f"a {order}b c"
    shown = answer_in_its_sentence(f"q{order}", context, f"{order}b", 2, None)
    assert order not in shown.plain
