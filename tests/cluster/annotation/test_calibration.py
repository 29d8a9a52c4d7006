from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from ray_qa import AnnotateConfig, annotate
from ray_qa.annotation.calibration import CALIBRATION_ROWS, HELD_ROWS, calibration_inputs, draw_calibration
from ray_qa.data.parquet_files import read_inputs
from ray_qa.errors import ConfigError, InputError, ModelError, OutputError
from tests.cluster import corpora
from tests.cluster.conftest import ONE_REPLICA, SMALL_WINDOWS


def config(folder: Path, **settings: Any) -> AnnotateConfig:
    return AnnotateConfig(
        **{"input": str(folder / "in.parquet"), "output": str(folder / "out"), **ONE_REPLICA, **SMALL_WINDOWS}
        | settings
    )


@pytest.mark.usefixtures("ray_cluster")
def test_int8_says_how_many_answers_it_leaves_and_is_refused_where_too_few(
    tiny_reader_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("nncf")
    corpora.write(tmp_path / "in.parquet", corpora.plain(40), row_group_size=10)
    corpora.write(tmp_path / "other.parquet", corpora.plain(30, seed=1))
    int8: dict[str, Any] = {"dtype": "int8", "model": str(tiny_reader_folder)}

    with pytest.raises(ModelError) as refused:
        annotate(config(tmp_path, **int8, min_agreement=1))
    agreement = str(refused.value).removesuffix(" on 40 rows; use another `dtype`, or ask for less").split()[-1]
    assert str(refused.value).startswith("`min_agreement` must be reached by int8, 1 of answers equal to those of")
    assert not (tmp_path / "out").exists()

    assert annotate(config(tmp_path, **int8, min_agreement=float(agreement) - 0.01)).counts.rows == 40
    engine = json.loads((tmp_path / "out/.ray_qa/run.json").read_text())["engine"]
    assert engine["arithmetic"].startswith("OpenVINO in int8 on cpu")
    assert engine["int8"]["agreement"] == pytest.approx(float(agreement), abs=5e-4)
    assert engine["int8"]["overlap"]
    assert (
        f"int8 gives {float(agreement):.1%} of 40 rows, some of them those it was calibrated on, the answer"
        in capsys.readouterr().err
    )
    assert pq.read_table(tmp_path / "out").num_rows == 40

    with pytest.raises(OutputError, match="differs in `calibration`"):
        annotate(config(tmp_path, **int8, calibration=str(tmp_path / "other.parquet")))


def test_rows_are_drawn_from_all_over_the_input_and_compared_ones_are_others(tmp_path: Path) -> None:
    corpora.write(tmp_path / "in.parquet", corpora.plain(30_000, words=3), row_group_size=1_000)
    settings = config(tmp_path)
    inputs = read_inputs(settings.input, settings.columns())
    drawn = draw_calibration(settings, inputs, None)
    assert (len(drawn.rows), len(drawn.held)) == (CALIBRATION_ROWS, HELD_ROWS)
    assert draw_calibration(settings, inputs, None) == drawn
    place = {row["question"]: row["id"] for row in corpora.plain(30_000, words=3).to_pylist()}
    thirds = {place[row.question] // 10_000 for row in drawn.rows if row.question}
    assert thirds == {0, 1, 2}
    assert not set(drawn.rows) & set(drawn.held)


def test_of_few_rows_all_serve_for_both(tmp_path: Path) -> None:
    corpora.write(tmp_path / "in.parquet", corpora.plain(30))
    settings = config(tmp_path)
    drawn = draw_calibration(settings, read_inputs(settings.input, settings.columns()), None)
    assert len(drawn.rows) == len(drawn.held) == 30


def test_rows_to_calibrate_on_may_be_named_and_are_checked_like_an_input(tmp_path: Path) -> None:
    corpora.write(tmp_path / "in.parquet", corpora.plain(600))
    other = corpora.write(tmp_path / "other.parquet", corpora.plain(20, seed=1))
    settings = config(tmp_path, dtype="int8", calibration=str(other))
    inputs = read_inputs(settings.input, settings.columns())
    drawn = draw_calibration(settings, inputs, calibration_inputs(settings))
    assert {row.question for row in drawn.rows} == set(corpora.plain(20, seed=1)["question"].to_pylist())
    assert len(drawn.held) == HELD_ROWS

    with pytest.raises(InputError, match=r"^`calibration` must lead to Parquet files"):
        calibration_inputs(config(tmp_path, dtype="int8", calibration=str(tmp_path / "none.parquet")))
    with pytest.raises(ConfigError, match=r"^`calibration` must be left out unless `dtype` is int8, but `dtype` is"):
        config(tmp_path, calibration=str(other))
