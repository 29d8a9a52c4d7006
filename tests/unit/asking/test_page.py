from __future__ import annotations

import re
from html.parser import HTMLParser

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ray_qa.asking.page import page
from tests.unit.asking.inspections import inspection_of

MARKUP = st.text(
    st.one_of(st.sampled_from("<>&\"'`/={}%#; \tabx"), st.characters(codec="utf-8")), min_size=1, max_size=40
)
HOSTILE = "</span><script>alert(1)</script><img src=x onerror=alert(1)> \" ' &amp; {{ 7 * 7 }} {% raw %} </style>-->"
BLAND = str.maketrans(dict.fromkeys("<>&\"'", "§"))
"""Takes all that means anything in HTML; what the tests' tokenizer makes of a text stays the same."""


class Outline(HTMLParser):
    """What a page is made of: its tags with the names of their attributes, the heading, and its tokens with texts."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, ...]] = []
        self.heading = ""
        self.figures: list[str] = []
        self.running_texts: list[str] = []
        self._open: list[str] = []
        self.feed(content)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.append((tag, *values))
        if "data-f" in values:
            self.figures.append(values["data-f"] or "")
        if values.get("class") == "text":
            self.running_texts.append("")
        if tag != "meta":
            self._open.append("text" if values.get("class") == "text" else tag)

    def handle_endtag(self, _: str) -> None:
        self._open.pop()

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "h1":
            self.heading += data
        if "text" in self._open:
            self.running_texts[-1] += data


def outline(question: str, context: str, model: str = "m") -> Outline:
    return Outline(page(inspection_of(question, context, piece_of=lambda text: f"_{text}", label=True), model))


def has_tokens(text: str) -> bool:
    return re.search(r"\S", text) is not None


@settings(max_examples=60, deadline=None)
@given(MARKUP, MARKUP)
def test_whatever_markup_texts_hold_they_are_but_texts(question: str, context: str) -> None:
    assume(has_tokens(question) and has_tokens(context))
    shown = outline(question, context, model=context)
    assert shown.tags == outline(question.translate(BLAND), context.translate(BLAND)).tags
    assert shown.heading == question
    pieces = [figures.splitlines()[1] for figures in shown.figures if "\n" in figures]
    assert [piece.startswith("piece _") for piece in pieces].count(False) <= sum(map(str.isspace, question + context))


@settings(max_examples=60, deadline=None)
@given(MARKUP, MARKUP)
def test_the_tokens_of_a_window_read_as_the_texts_they_are_of(question: str, context: str) -> None:
    assume(has_tokens(question) and has_tokens(context))
    (text,) = outline(question, context).running_texts
    assert text == f"_<s>{question.strip()}_</s>{context.strip()}_</s>"


def test_hostile_texts_add_no_element_and_no_template() -> None:
    shown = page(inspection_of(HOSTILE, HOSTILE, piece_of=lambda _: HOSTILE), HOSTILE)
    assert "<script" not in shown
    assert "<img" not in shown
    assert "{{ 7 * 7 }}" in shown
    assert "&amp;amp;" in shown


def test_a_page_needs_nothing_else() -> None:
    shown = page(inspection_of("Who was he?", "He was a puppet"), "embedded")
    assert not re.search(r"https?:|url\(|@import|\bsrc=|<script|<link", shown)
    assert "default-src 'none'" in shown
    assert "prefers-color-scheme: dark" in shown


def test_a_page_shows_every_window_the_pairs_and_why() -> None:
    shown = page(inspection_of("Who was he?", "He was a puppet", windows=3, label=True), "embedded")
    assert [f"Window {number} of 3" in shown for number in (1, 2, 3)] == [True] * 3
    assert "loss:  0.750 = (0.500 + 1.000) / 2" in shown
    assert 'href="#w3"' in shown
    assert "margin" in shown
