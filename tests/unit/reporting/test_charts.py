from __future__ import annotations

import re
from collections.abc import Callable
from xml.etree import ElementTree

import numpy as np
import pytest

from ray_qa.metrics.calibration import Bin
from ray_qa.reporting import charts
from ray_qa.reporting.correctness import Reliability, Risk
from ray_qa.reporting.histogram import Histogram
from ray_qa.reporting.run_facts import Moment


def histogram(values: object, width: float = 1.0) -> Histogram:
    found = Histogram(width)
    found.add(np.asarray(values, np.float64))
    return found


NONE = histogram([])
SCORES = {"answered": histogram([1, 2, 3]), "no_answer": histogram([-2.5]), "failed": NONE}
MOMENTS = [Moment(began=10.0 * n, seconds=10, rows=n, after_pause=n == 2) for n in range(4)]
CLASSES = charts.windows_classes({(1, 0): 90, (1, 1): 10, (2, 1): 4, (5, 0): 3, (5, 2): 1})
DRAWN = {
    "speed": lambda: charts.speed_chart(MOMENTS),
    "confidence": lambda: charts.confidence_chart({"answered": histogram([0.5], 0.01)}),
    "margin": lambda: charts.margin_chart(SCORES, 0.0),
    "margin of one value": lambda: charts.margin_chart({"answered": histogram([3.0])}, None),
    "reliability": lambda: charts.reliability_chart(
        Reliability(bins=(Bin(rows=4, confidence=0.3, right=0.25),), error=0.05, by_chance=None)
    ),
    "risk": lambda: charts.risk_chart(Risk(coverage_P=np.array([0.5, 1.0]), risk_P=np.zeros(2), of_half=0.0, area=0.0)),
    "length": lambda: charts.length_chart("context", histogram([10, 20, 30]), "characters"),
    "long": lambda: charts.length_chart("context", histogram([10] * 9 + [1_000_000]), "characters"),
    "one length": lambda: charts.length_chart("answer", histogram([0, 0]), "characters"),
    "windows": lambda: charts.windows_chart(CLASSES),
    "no answer": lambda: charts.no_answer_chart(CLASSES),
}


@pytest.mark.parametrize("name", DRAWN)
def test_a_drawing_has_the_colours_and_the_font_of_its_page_and_scales_with_it(name: str) -> None:
    svg = DRAWN[name]()
    root = ElementTree.fromstring(svg)
    assert set(root.attrib) == {"viewBox", "aria-hidden"}
    assert not re.search(r": #[0-9a-f]{3,6}\b", svg), "a colour that is not the page's"
    assert not re.search(r"font-family|<style|https?:|xlink|<metadata|<!--|<image", svg)
    assert root.findall(".//text"), "its axes say nothing"
    assert svg == DRAWN[name]()


@pytest.mark.parametrize(
    "svg",
    [
        lambda: charts.confidence_chart({"answered": histogram([0.5], 0.01)}),
        lambda: charts.length_chart("answer", histogram([1, 2, 3]), "characters"),
        lambda: charts.windows_chart(charts.windows_classes({(1, 0): 1})),
    ],
)
def test_what_is_counted_has_whole_numbers_at_its_axis(svg: Callable[[], str]) -> None:
    drawing = svg()
    ticks = re.findall(r'<g id="[a-z]+-ytick_.*?<text[^>]*>([^<]*)</text>', drawing, re.DOTALL)
    assert ticks
    assert all(re.fullmatch(r"\d+", tick) for tick in ticks)


def test_drawings_do_not_share_their_ids() -> None:
    ids = [set(re.findall(r'\bid="([^"]*)"', DRAWN[name]())) for name in ("speed", "margin", "windows")]
    assert not (ids[0] & ids[1] | ids[0] & ids[2] | ids[1] & ids[2])
    assert all(ids)


def test_rows_are_told_apart_by_their_windows_those_that_failed_left_out() -> None:
    assert [(each.name, each.rows, each.rate) for each in CLASSES] == [("1", 100, 0.1), ("2", 4, 1), ("5–8", 3, 0)]
    for each in CLASSES:
        low, high = each.interval
        assert 0 <= low <= each.rate <= high <= 1
        assert low < high
