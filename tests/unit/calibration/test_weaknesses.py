from __future__ import annotations

import re
from pathlib import Path

import pytest

from ray_qa.calibration.calibrate import calibrate
from ray_qa.calibration.config import CalibrateConfig
from ray_qa.calibration.model_card import card_text
from ray_qa.calibration.table import describe
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
