from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from ray_qa import AnnotateConfig, Reader, ReadingSettings, annotate
from ray_qa.errors import OutputError, RayQaError
from ray_qa.reader.calibration import Calibration, FittedOn, Scale, write_calibration
from ray_qa.reader.model_files import find_model
from tests.cluster import corpora
from tests.cluster.conftest import ONE_REPLICA, SMALL_WINDOWS

SPAN, NULL = Scale(slope=0.5, rest_slope=0.25, shift=-0.25), Scale(slope=0.125, rest_slope=0.0, shift=0.5)


@pytest.fixture
def calibrated(tiny_reader_folder: Path, tmp_path: Path) -> Path:
    """The tiny reader, with a calibration in its folder, of rows that had one window and all an answer."""
    folder = tmp_path / "model"
    shutil.copytree(tiny_reader_folder, folder)
    fitted_on = FittedOn(rows=900, contexts=90, windows_per_row=1.0, no_answer_share=0.0, unanswerable_share=0.5)
    sha = find_model(str(folder)).weights_sha256
    calibration = Calibration(
        null_threshold=-1e6, span=SPAN, null=NULL, weights_sha256=sha, optimized="f1", fitted_on=fitted_on
    )
    write_calibration(calibration, folder)
    return folder


def config(folder: Path, **settings: Any) -> AnnotateConfig:
    named = {"input": str(folder / "in.parquet"), "output": str(folder / "out"), "model": str(folder / "model")}
    return AnnotateConfig(**named, **ONE_REPLICA, **SMALL_WINDOWS, **settings)


@pytest.mark.usefixtures("ray_cluster")
def test_a_run_goes_by_the_models_calibration_pins_it_and_says_where_the_corpus_is_unlike(
    calibrated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = corpora.plain(600)
    corpora.write(tmp_path / "in.parquet", rows)
    annotate(config(tmp_path))
    said = capsys.readouterr().err
    assert "confidence is calibrated (on 900 rows), and rows have no answer above null threshold -1e+06" in said
    (unlike,) = [line for line in said.splitlines() if "the corpus is unlike the 900 rows" in line]
    assert "100% of rows have no answer here, 0% there" in unlike

    run = json.loads((tmp_path / "out/.ray_qa/run.json").read_text())
    assert run["settings"]["null_threshold"] == "auto"
    pinned = run["fingerprints"]["settings"]
    assert (pinned["null_threshold"], pinned["confidence"]) == (
        -1e6,
        {"span": SPAN.model_dump(), "null": NULL.model_dump()},
    )

    written = pq.read_table(tmp_path / "out").slice(0, 20).to_pylist()
    reader = Reader.load(str(calibrated), settings=ReadingSettings(**SMALL_WINDOWS), dtype="float32", threads=1)
    answers = reader.read(rows.slice(0, 20))
    assert [row["status"] for row in written] == [answer.status for answer in answers] == ["no_answer"] * 20
    assert [row["confidence"] for row in written] == pytest.approx([answer.confidence for answer in answers], abs=1e-5)

    assert annotate(config(tmp_path)).was_finished
    with pytest.raises(OutputError, match=r"`null_threshold` \(.*\); `confidence` \(calibrated there, raw now\);"):
        annotate(config(tmp_path, answer_calibration="none"))
    (calibrated / "ray_qa.json").unlink()
    with pytest.raises(OutputError, match=r"`null_threshold` \(-1000000.0 there, 0.0 now\)"):
        annotate(config(tmp_path))


def test_the_calibration_of_another_model_is_refused_before_any_work(calibrated: Path, tmp_path: Path) -> None:
    corpora.write(tmp_path / "in.parquet", corpora.plain(5))
    (calibrated / "config.json").write_text((calibrated / "config.json").read_text() + "\n")
    with pytest.raises(RayQaError, match=r"^`answer_calibration` must be of the model's own weights, but "):
        annotate(config(tmp_path))
    assert not (tmp_path / "out").exists()
