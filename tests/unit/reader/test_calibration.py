from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_qa.errors import ModelError
from ray_qa.reader.calibration import (
    CALIBRATION_FILE,
    Calibration,
    Decision,
    FittedOn,
    NoCalibrationError,
    Scale,
    decision_by,
    find_calibration,
    read_calibration,
    write_calibration,
)

SHA = "a" * 64
FITTED_ON = FittedOn(rows=300, contexts=60, windows_per_row=1.25, no_answer_share=0.4, unanswerable_share=0.5)
CALIBRATION = Calibration(
    null_threshold=-1.5,
    span=Scale(slope=0.75, rest_slope=0.25, shift=-0.25),
    null=Scale(slope=0.5, rest_slope=0.0, shift=0.125),
    weights_sha256=SHA,
    optimized="f1",
    fitted_on=FITTED_ON,
)
finite = st.floats(allow_nan=False, allow_infinity=False)


above_0 = st.floats(min_value=0, exclude_min=True, allow_infinity=False)


scales = st.builds(Scale, slope=above_0, rest_slope=st.floats(min_value=0, allow_infinity=False), shift=finite)


@given(finite, scales, scales, st.none() | st.text())
def test_what_was_written_is_read_to_the_last_bit(threshold: float, span: Scale, null: Scale, sha: str | None) -> None:
    made = Calibration(
        null_threshold=threshold, span=span, null=null, weights_sha256=sha, optimized="none", fitted_on=FITTED_ON
    )
    assert Calibration.model_validate_json(made.model_dump_json()) == made


@pytest.mark.parametrize("name", ["", "ray_qa.json", "other.json"])
def test_a_folder_stands_for_the_file_in_it(name: str, tmp_path: Path) -> None:
    where = write_calibration(CALIBRATION, tmp_path / "model" / name)
    assert where == tmp_path / "model" / (name or CALIBRATION_FILE)
    assert read_calibration(tmp_path / "model" / name) == read_calibration(str(where)) == CALIBRATION


def test_scores_are_decided_by_the_calibration_but_for_a_threshold_that_is_given() -> None:
    by_model = Decision(null_threshold=-1.5, span=CALIBRATION.span, null=CALIBRATION.null)
    assert decision_by(CALIBRATION) == by_model
    assert decision_by(CALIBRATION, 0.0) == replace(by_model, null_threshold=0.0)
    assert decision_by(None) == Decision()
    assert decision_by(None, 2.0) == Decision(null_threshold=2.0)


def test_a_model_without_a_calibration_has_none(tmp_path: Path) -> None:
    assert read_calibration(tmp_path) is None


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"form": 2}, "form: input should be 1"),
        ({"span": {"slope": 0}}, "span.slope: input should be greater than 0"),
        ({"null": {"slope": "1"}}, "null.slope: input should be a valid number"),
        ({"span": {"shift": None}}, "span.shift: input should be a valid number"),
        ({"temperature": 1}, "temperature: extra inputs are not permitted"),
        ({"fitted_on": {**FITTED_ON.model_dump(), "rows": 0}}, "fitted_on.rows: input should be greater than 0"),
    ],
)
def test_a_file_that_is_none_of_ours_is_refused_in_one_line(change: dict[str, Any], found: str, tmp_path: Path) -> None:
    (tmp_path / CALIBRATION_FILE).write_text(json.dumps(CALIBRATION.model_dump() | change))
    with pytest.raises(ModelError, match=re.escape(f"that ray-qa calibrate wrote, but {found}")) as error:
        read_calibration(tmp_path)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("content", "found"), [("[]", "other JSON"), ('{"name": "mine"}', "other JSON"), ("{", "no JSON")]
)
def test_a_file_that_is_something_else_is_called_so(content: str, found: str, tmp_path: Path) -> None:
    (tmp_path / "my.json").write_text(content)
    with pytest.raises(NoCalibrationError) as error:
        read_calibration(tmp_path / "my.json")
    assert str(error.value) == (
        f"{tmp_path}/my.json must be a calibration that ray-qa calibrate wrote, but is {found}; name a file that "
        "it wrote"
    )


@pytest.mark.parametrize("content", [b"", b"\xff", b"[]", b"{", b'{"form": 1, "null_threshold": NaN}'])
def test_what_is_no_json_is_refused_in_one_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / CALIBRATION_FILE).write_bytes(content)
    with pytest.raises(ModelError, match="must be a calibration that ray-qa calibrate wrote") as error:
        read_calibration(tmp_path)
    assert len(str(error.value).splitlines()) == 1


def test_a_folder_that_cannot_be_written_to_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "model").touch()
    with pytest.raises(ModelError, match="`output` must be a place that can be written to"):
        write_calibration(CALIBRATION, tmp_path / "model")


def test_a_model_goes_by_its_own_calibration_unless_told_otherwise(tmp_path: Path) -> None:
    other = CALIBRATION.model_copy(update={"null_threshold": 3.0})
    write_calibration(CALIBRATION, tmp_path / "model")
    elsewhere = str(write_calibration(other, tmp_path / "other.json"))
    assert find_calibration("auto", tmp_path / "model", SHA) == CALIBRATION
    assert find_calibration("none", tmp_path / "model", SHA) is None
    assert find_calibration(elsewhere, tmp_path / "model", SHA) == other
    assert find_calibration("auto", tmp_path, SHA) is None


def test_a_calibration_that_is_asked_for_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"wrote, but .*/none/ray_qa\.json is not there$"):
        find_calibration(str(tmp_path / "none"), tmp_path, SHA)


@pytest.mark.parametrize("wanted", ["auto", "path"])
def test_a_calibration_of_another_model_is_refused(wanted: str, tmp_path: Path) -> None:
    where = write_calibration(CALIBRATION, tmp_path)
    with pytest.raises(ModelError, match=r"ray_qa\.json is of others \(a{12} there, b{12} now\); calibrate the model"):
        find_calibration(wanted if wanted == "auto" else str(where), tmp_path, "b" * 64)
    write_calibration(CALIBRATION.model_copy(update={"weights_sha256": None}), tmp_path)
    assert find_calibration("auto", tmp_path, "b" * 64) is not None
