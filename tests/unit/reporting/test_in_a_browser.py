"""The page as a person meets it, in headless Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ray_qa.reporting.report import write_report
from ray_qa.runs.annotated_rows import open_source
from tests.chromium import Page, chromium, page_of
from tests.unit.reporting.outputs import HOSTILE, many_rows

ROWS = 60
SHOWN = "[...document.querySelectorAll('#rows tr')].filter(row => row.checkVisibility())"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = many_rows(tmp_path_factory.mktemp("browser") / "out", ROWS)
    place = folder.parent / "page.html"
    write_report(open_source(str(folder), partial=False), place)
    return place


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    program = chromium()
    if program is None:
        pytest.skip("there is no chromium; on Debian: apt-get install chromium")
    with page_of(program, tmp_path_factory.mktemp("profile")) as page:
        yield page


@pytest.fixture
def page(browser: Page, report: Path) -> Iterator[Page]:
    browser.open(report)
    yield browser
    assert browser.complaints == []
    assert [url for url in browser.requests if not url.startswith("data:")] == []


def shown(page: Page, what: str = "row.dataset.row") -> list[str]:
    values: list[str] = page.run(f"{SHOWN}.map(row => {what})")
    return values


def choose(page: Page, select: str, value: str) -> None:
    """Choose from a list, as its own event says it."""
    page.run(
        f"(() => {{ const list = document.querySelector(`{select}`); list.value = `{value}`;"
        "list.dispatchEvent(new Event('change')); })()"
    )


def test_typing_searches_and_a_click_clears(page: Page) -> None:
    before = shown(page)
    page.click("#search")
    page.type("town 17. RIVER")
    assert shown(page) == ["17"]
    assert page.run("document.getElementById('found').textContent") == f"1 of {ROWS} rows"
    page.click("#clear")
    assert shown(page) == before
    page.type("no such text")
    assert shown(page) == []
    assert page.run("document.getElementById('nothing').checkVisibility()")


def test_a_search_for_markup_finds_it_as_text(page: Page) -> None:
    page.click("#search")
    page.type("<script>document.title")
    assert {int(row) % 7 for row in shown(page)} == {0}
    assert HOSTILE in page.run(f"{SHOWN}[0].textContent")


def test_rows_are_filtered_by_outcome_gold_and_reason(page: Page) -> None:
    choose(page, "select[data-of=status]", "no_answer")
    assert set(shown(page, "row.dataset.status")) == {"no_answer"}
    choose(page, "select[data-of=right]", "no")
    assert shown(page) == []
    choose(page, "select[data-of=status]", "failed")
    assert {int(row) % 10 for row in shown(page)} == {9}
    page.click("#clear")
    page.click("button[data-reason=question_missing]")
    assert set(shown(page, "row.dataset.reason")) == {"question_missing"}


def test_rows_are_put_in_order_and_more_are_shown_by_a_click(page: Page) -> None:
    few = shown(page)
    page.click("#more")
    assert len(shown(page)) > len(few)
    choose(page, "#order", "margin-up")
    margins = [float(value) for value in shown(page, "row.dataset.margin")]
    assert margins == sorted(margins)
    assert margins[0] == pytest.approx(-5.7)
    choose(page, "#order", "input")
    assert [int(row) for row in shown(page)] == sorted(int(row) for row in shown(page))


def test_texts_full_of_markup_stay_texts(page: Page) -> None:
    assert page.run("document.title") == "out · ray-qa report"
    assert page.run("document.querySelectorAll('img, script:not(:last-of-type), iframe, object').length") == 0
    assert page.run("document.querySelectorAll('script').length") == 1
    assert page.run("document.querySelectorAll('#rows tr').length") == ROWS


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [400, 1400])
def test_nothing_leaves_the_page_at_any_width(browser: Page, report: Path, width: int, dark: bool) -> None:
    browser.open(report, width=width, dark=dark)
    assert browser.run("document.documentElement.scrollWidth") == width
    beyond = (
        "[...document.querySelectorAll('main *')].filter(each => !each.closest('.scroll, svg')"
        f" && each.checkVisibility() && each.getBoundingClientRect().right > {width})"
        ".map(each => each.outerHTML.slice(0, 80))"
    )
    assert browser.run(beyond) == []
    overlaps = (
        "[...document.querySelectorAll('main > *')].map(each => each.getBoundingClientRect())"
        ".filter((box, n, all) => n > 0 && box.top < all[n - 1].bottom - 0.5).length"
    )
    assert browser.run(overlaps) == 0
    assert browser.complaints == []


@pytest.mark.parametrize("dark", [False, True])
def test_words_and_drawings_stand_out_from_what_is_behind_them(browser: Page, report: Path, dark: bool) -> None:
    browser.open(report, dark=dark)
    contrast = """((name) => {
      const probe = document.createElement("i"); document.body.append(probe);
      const light = (variable) => { probe.style.color = `var(${variable})`;
        const parts = getComputedStyle(probe).color.match(/[\\d.]+/g).slice(0, 3).map(Number)
          .map((c) => (c /= 255, c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2] + 0.05; };
      const [one, other] = [light(name), light("--card")]; probe.remove();
      return Math.max(one, other) / Math.min(one, other); })"""
    for name in ("--ink", "--soft", "--good"):
        assert browser.run(f"{contrast}('{name}')") >= 4.5, name  # WCAG 2.2, 1.4.3
    for name in ("--answered", "--none", "--failed", "--mark"):
        assert browser.run(f"{contrast}('{name}')") >= 3, name  # 1.4.11


def test_on_paper_the_page_is_light_and_without_controls(browser: Page, report: Path) -> None:
    browser.open(report, dark=True)
    browser.emulate(dark=True, medium="print")
    assert browser.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not browser.run("document.getElementById('search').checkVisibility()")
    assert shown(browser)
