from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from ray_qa.errors import ModelError
from ray_qa.reader.answers import confidence
from ray_qa.reader.calibration import Calibration, FittedOn, Scale, write_calibration
from ray_qa.reader.model_files import find_model
from ray_qa.reader.reader import Reader
from ray_qa.records import Row
from ray_qa.settings import ReadingSettings
from tests.model.conftest import EXACT, SMALL
from tests.tiny import TEXT

ROWS = [Row(question="Who was Jim Henson?", context=text) for text in TEXT]
FITTED_ON = FittedOn(rows=9, contexts=9, windows_per_row=1.0, no_answer_share=0.5, unanswerable_share=0.5)
SPAN, NULL = Scale(slope=0.5, rest_slope=0.25, shift=-0.25), Scale(slope=0.125, rest_slope=0.0, shift=0.5)


def load(folder: Path, **settings: Any) -> Reader:
    wanted = ReadingSettings.model_validate(SMALL.model_dump() | settings)
    return Reader.load(str(folder), settings=wanted, device="cpu", **EXACT)


@pytest.fixture(scope="module")
def middle(tiny_reader_folder: Path) -> float:
    """A threshold under which some rows are answered and some are not."""
    answers = load(tiny_reader_folder).read(ROWS)
    apart = sorted(float(answer.null_score or 0) - answer.n_best[0].score for answer in answers)
    return apart[len(apart) // 2] - 1e-3


@pytest.fixture
def calibrated(tiny_reader_folder: Path, middle: float, tmp_path: Path) -> Path:
    """The tiny reader, with a calibration in its folder."""
    folder = tmp_path / "calibrated"
    shutil.copytree(tiny_reader_folder, folder)
    calibration = Calibration(
        null_threshold=middle,
        span=SPAN,
        null=NULL,
        weights_sha256=find_model(str(folder)).weights_sha256,
        optimized="f1",
        fitted_on=FITTED_ON,
    )
    write_calibration(calibration, folder)
    return folder


def test_a_reader_abstains_and_is_sure_as_its_calibration_says(calibrated: Path, middle: float) -> None:
    answers = load(calibrated).read(ROWS)
    assert {answer.status for answer in answers} == {"answered", "no_answer"}
    for answer in answers:
        null, partition, best = answer.null_score or 0.0, answer.log_partition or 0.0, answer.n_best[0].score
        abstains = null - best > middle
        assert answer.status == ("no_answer" if abstains else "answered")
        wanted = confidence(null, partition, NULL) if abstains else confidence(best, partition, SPAN)
        assert answer.confidence == wanted


def test_nothing_else_changes(calibrated: Path) -> None:
    raw_answers = load(calibrated, answer_calibration="none").read(ROWS)
    for answer, raw in zip(load(calibrated).read(ROWS), raw_answers, strict=True):
        assert (answer.n_best, answer.windows) == (raw.n_best, raw.windows)
        assert (answer.null_score, answer.log_partition) == (raw.null_score, raw.log_partition)


def test_a_reader_told_otherwise_is_as_without(calibrated: Path, tiny_reader_folder: Path) -> None:
    assert load(calibrated, answer_calibration="none").read(ROWS) == load(tiny_reader_folder).read(ROWS)
    elsewhere = shutil.copy(calibrated / "ray_qa.json", calibrated.parent / "moved.json")
    there = load(tiny_reader_folder, answer_calibration=str(elsewhere))
    assert there.read(ROWS) == load(calibrated).read(ROWS)


def test_a_threshold_that_is_given_wins_and_confidence_stays_calibrated(calibrated: Path) -> None:
    (answer, *_) = load(calibrated, null_threshold=1e6).read(ROWS)
    assert answer.status == "answered"
    assert answer.confidence == confidence(answer.n_best[0].score, answer.log_partition or 0.0, SPAN)


def test_mentions_are_as_sure_as_the_answer(calibrated: Path) -> None:
    for answer in load(calibrated, answers_per_row=4, always_answer=True).read(ROWS):
        assert answer.mentions[0].confidence == answer.confidence
        for mention in answer.mentions:
            score = mention.start_score + mention.end_score
            assert mention.confidence == confidence(score, answer.log_partition or 0.0, SPAN)


def test_an_inspection_says_what_decides(calibrated: Path, middle: float) -> None:
    reader = load(calibrated)
    seen = reader.inspect(str(ROWS[0].question), str(ROWS[0].context))
    assert seen.null_threshold == middle
    assert seen.answer.confidence == reader.read(ROWS[:1])[0].confidence


def test_a_model_with_the_calibration_of_another_is_refused_in_one_line(calibrated: Path) -> None:
    (calibrated / "config.json").write_text((calibrated / "config.json").read_text() + "\n")
    with pytest.raises(ModelError, match=r"^`answer_calibration` must be of the model's own weights, but .*none$"):
        load(calibrated)
    load(calibrated, answer_calibration="none")
