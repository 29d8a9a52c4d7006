from __future__ import annotations

import json
import re
from base64 import b64encode
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ray_qa.records import Question, Reason
from ray_qa.reporting.page import MEANINGS
from ray_qa.reporting.report import write_report
from ray_qa.runs.annotated_rows import open_source
from ray_qa.runs.output_folder import PLAN
from tests.unit.exporting.annotated import CONTEXTS, FAILED, answer, write_output
from tests.unit.reporting.outputs import HOSTILE, many_rows, table_of, with_settings

MARKUP = st.text(
    st.one_of(st.sampled_from("<>&\"'`/={}%#; \tabx\x00\u202e"), st.characters(codec="utf-8")), min_size=1, max_size=40
)
BLAND = str.maketrans(dict.fromkeys("<>&\"'", "§"))


def page_of(folder: Path, *, partial: bool = False, **gold: str) -> str:
    place = folder.parent / "page.html"
    write_report(open_source(str(folder), partial), place, **gold)
    return place.read_bytes().decode()


class Outline(HTMLParser):
    """The tags of a page with the names of their attributes, and the texts of the rows."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, ...]] = []
        self.questions: list[str] = []
        self.marked: list[str] = []
        self._inside = ""
        self.feed(content)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, *dict(attrs)))
        if tag == "p" and ("class", "q") in attrs:
            self._inside = "question"
            self.questions.append("")
        if tag == "mark":
            self._inside = "mark"
            self.marked.append("")

    def handle_endtag(self, _: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "question":
            self.questions[-1] += data
        if self._inside == "mark":
            self.marked[-1] += data


@settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # a page takes too long to look for the shortest text
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(text=MARKUP)
def test_whatever_markup_texts_hold_they_are_but_texts(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    def outline(text: str) -> Outline:
        rows = table_of([f"{text}oak{text}"]).set_column(0, "question", [[text]])
        folder = write_output(tmp_path_factory.mktemp("one") / "out", rows, [answer(f"{text}oak{text}", f"oak{text}")])
        return Outline(page_of(folder))

    assert outline(text).tags == outline(text.translate(BLAND)).tags
    assert outline(text).questions == [re.sub("[\x00-\x08\x0b\x0c\x0e-\x1f]", "\N{REPLACEMENT CHARACTER}", text)]


def test_names_that_are_markup_are_but_names(tmp_path: Path) -> None:
    folder = many_rows(tmp_path / "<b>bold<b>", 10, model="<script>alert(1)<\\script>")
    shown = page_of(folder)
    assert "&lt;b&gt;bold" in shown
    assert "<b>bold" not in shown
    assert "<script>alert" not in shown
    assert HOSTILE not in shown


def test_a_page_loads_nothing_and_runs_no_script_but_its_own(tmp_path: Path) -> None:
    shown = page_of(many_rows(tmp_path / "out"))
    assert not re.search(r"https?:|@import|\ssrc=|url\((?!#)", shown.replace("&", "").replace(" src=x onerror", ""))
    (script,) = re.findall(r"<script>(.*?)</script>", shown, re.DOTALL)
    digest = b64encode(sha256(script.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'" in shown
    assert not re.search(r"innerHTML|insertAdjacent|document\.write|eval\(|Function\(", script)


def test_answers_are_marked_in_their_contexts(tmp_path: Path) -> None:
    marked = Outline(page_of(many_rows(tmp_path / "out", 6))).marked[2:]  # after those of the legend
    assert sorted(marked) == [f"river {row}" for row in range(6)]


@pytest.mark.parametrize("gold", [True, False])
def test_what_is_known_is_told(tmp_path: Path, gold: bool) -> None:
    folder = many_rows(tmp_path / "out", 40, **({} if gold else {"keep": ["question", "context"]}))
    shown = page_of(folder)
    for heading in ("The run", "How sure it is", "Lengths and windows", "Failures", "Rows to look at"):
        assert f"<h2>{heading}</h2>" in shown
    assert ("<h2>How right it is</h2>" in shown) == gold
    assert ("F1" in shown) == gold
    assert "<code>question_missing</code>" in shown
    assert "Not finished" not in shown


def test_what_is_not_finished_is_said_loudly(tmp_path: Path) -> None:
    folder = many_rows(tmp_path / "out", 10)
    (folder / "part-0000002.parquet").unlink()
    assert re.search(r'role="alert"><b>Not finished</b>.*has 4 of 5 parts', page_of(folder, partial=True))


@pytest.mark.parametrize("wide", [True, False])
def test_questions_come_with_their_texts_in_the_order_of_their_set(tmp_path: Path, wide: bool) -> None:
    asked = tuple(Question(id=f"q{number}", text=f"Is it {number}?") for number in (10, 5, 0))
    contexts = pa.table({"id": ["a", "b"], "context": CONTEXTS[:2]})
    given = [answer(CONTEXTS[0], "oxygen"), FAILED, FAILED, answer(CONTEXTS[1], "1902", answered=False), FAILED, FAILED]
    shown = page_of(write_output(tmp_path / "out", contexts, given, asked, wide=wide))
    assert re.findall(r'<option value="(q\d+)" title="Is it \d+\?">', shown) == ["q10", "q5", "q0"]
    by_question = shown[shown.index("<h2>By question</h2>") : shown.index("<h2>Failures</h2>")]
    assert re.findall(r"<code>(q\d+)</code>.*?<bdi>(.*?)</bdi>", by_question)[0] == ("q10", "Is it 10?")
    assert "50 %" in by_question, "of the rows that were scored"
    assert set(re.findall(r'meta">(row \d+ · <bdi>\w+)</bdi>', shown)) == {"row 1 · <bdi>a", "row 2 · <bdi>b"}


def test_numbers_stay_with_what_they_count(tmp_path: Path) -> None:
    shown = page_of(many_rows(tmp_path / "out", 2))
    assert "1\N{NO-BREAK SPACE}unit<" in shown
    assert "(95\N{NO-BREAK SPACE}%)" in shown


def test_what_was_rescored_is_said_with_the_output_that_it_comes_from(tmp_path: Path) -> None:
    folder = many_rows(tmp_path / "out", 4)
    assert "rescored from" not in page_of(folder)
    plan = json.loads((folder / PLAN).read_text())
    (folder / PLAN).write_text(json.dumps(plan | {"command": "ray-qa rescore", "parent": {"output": "/at/answers"}}))
    assert "<dt>rescored from</dt><dd>answers, without the model</dd>" in page_of(folder)


def test_where_all_rows_are_answered_the_lowest_margin_is_the_first(tmp_path: Path) -> None:
    shown = page_of(with_settings(many_rows(tmp_path / "out", 10), always_answer=True))
    assert "lowest margins first" in shown
    assert 'value="closest"' not in shown
    margins = [float(each) for each in re.findall(r'data-margin="(-?[\d.]+)"', shown)]
    assert margins == sorted(margins)


def test_all_reasons_have_a_meaning() -> None:
    assert set(Reason.__args__) == MEANINGS.keys()  # type: ignore[attr-defined]  # a Literal has them
