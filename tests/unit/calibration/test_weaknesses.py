from __future__ import annotations

import re
from pathlib import Path

import pytest

from ray_qa.calibration.calibrate import calibrate
from ray_qa.calibration.config import CalibrateConfig
from ray_qa.calibration.model_card import card_text
from ray_qa.calibration.table import describe
from ray_qa.metrics.calibration import SLOPES
from tests.unit.calibration.outputs import drawn, row, write


def config(predictions: str, folder: Path, **more: str) -> CalibrateConfig:
    return CalibrateConfig(predictions=predictions, output=str(folder / "calibration.json"), **more)


def test_of_few_contexts_there_are_no_intervals_and_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = calibrate(config(write(tmp_path / "out", drawn(4_000)[:400]), tmp_path, split_by="title"))
    assert capsys.readouterr().err.splitlines()[:2] == [
        "ray-qa calibrate: only 200 rows in a half: all figures are rough",
        "ray-qa calibrate: only 4 titles in a half: what is fitted may suit these alone, and figures of fewer than 5 "
        "have no intervals",
    ]
    assert report.after.exact.interval is report.before.ece.interval is None
    assert re.search(rf"\nexact match  .* {100 * report.before.exact.value:.2f}  +–  .*–\n", describe(report))
    assert "(–) |" in card_text(report)


@pytest.mark.parametrize(("optimize", "name"), [("f1", "F1"), ("exact", "exact match")])
def test_a_threshold_that_is_worse_on_the_other_half_is_told_with_both_figures(
    optimize: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of either context the best threshold is too high or too low for the other one; the one before suits both."""
    margins = {"A": {True: (2.0, 2.0), False: (-0.5, -0.5)}, "B": {True: (1.0, -1.0), False: (-2.0, -2.0)}}
    made = [row(n, margin=3.0, log_raw=-0.5, gold=["gold"], exact=False, context="AB"[n % 2]) for n in range(20)]
    for number in range(20, 220):
        at, right = "AB"[number % 2], number % 4 < 2
        margin = margins[at][right][number % 8 < 4]
        gold = ["gold"] if right else []
        made.append(row(number, margin=margin, log_raw=-0.5, gold=gold, exact=right, context=at))
    report = calibrate(config(write(tmp_path / "out", made), tmp_path, optimize=optimize))
    told = capsys.readouterr().err
    found = re.search(rf"is worse than the one before on the other half \({name} ([\d.]+), ([\d.]+) before\)", told)
    assert found is not None, told
    assert report.after.f1.value < report.before.f1.value
    assert found.groups() == (f"{100 * report.after.f1.value:.2f}", f"{100 * report.before.f1.value:.2f}")


def test_confidence_that_is_worse_on_the_other_half_is_told_with_all_figures_that_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of one context nearly all answers are right, of the other few, and the raw probability is between."""
    right_of = {"A": 40, "B": 95}
    made = [
        row(n, margin=3.0, log_raw=-0.35, gold=["gold"], exact=n // 2 < right_of["AB"[n % 2]], context="AB"[n % 2])
        for n in range(200)
    ]
    report = calibrate(config(write(tmp_path / "out", made), tmp_path))
    before, after = report.before, report.after
    assert (
        "ray-qa calibrate: confidence is no better for it on the other half ("
        f"ECE {100 * after.ece.value:.2f} %, {100 * before.ece.value:.2f} % before, "
        f"Brier score {100 * after.brier.value:.2f} %, {100 * before.brier.value:.2f} % before, "
        f"log loss {after.log_loss.value:.2f}, {before.log_loss.value:.2f} before): the rows may be too few, or of too "
        "many kinds\n"
    ) in capsys.readouterr().err


def test_confidence_that_tells_nothing_apart_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The surer the reader is, the more often it is wrong."""
    made = [
        row(n, margin=3.0, log_raw=-0.01 * (1 + n % 100), gold=["gold"], exact=n * 37 % 100 < 20 + n % 100 * 0.6)
        for n in range(1_000)
    ]
    report = calibrate(config(write(tmp_path / "out", made), tmp_path))
    assert (report.calibration.span.slope, report.calibration.span.rest_slope) == (SLOPES[0], 0)
    told = capsys.readouterr().err
    assert "a slope of the confidence of a span is at its lowest bound: with less, confidence would fall" in told
    assert re.search(
        r"confidence of a span tells nothing apart: it is 0\.50\d+ to 0\.50\d+ in nine of ten rows of", told
    )
    assert "slope of the confidence of no answer" not in told
