"""``ray-qa rescore`` out of a bucket and into it."""

from __future__ import annotations

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ray_qa.errors import RayQaError
from ray_qa.rescoring.config import RescoreConfig
from ray_qa.rescoring.rescore import rescore
from ray_qa.storage import objects, places
from ray_qa.storage.remote import Place, Remote
from tests.unit.exporting.annotated import ROWS


def test_the_parts_in_a_bucket_are_those_that_are_written_here(annotated: Path, folder: Remote, tmp_path: Path) -> None:
    remote = RescoreConfig(input=f"{folder}/annotated", output=f"{folder}/out", null_threshold=0.5)
    assert rescore(remote).rescored_rows == ROWS.num_rows
    rescore(RescoreConfig(input=str(annotated), output=str(tmp_path / "out"), null_threshold=0.5))
    names = places.names_in(folder / "out")
    assert names == sorted(places.names_in(tmp_path / "out"))
    for name in filter(lambda each: each.endswith(".parquet"), names):
        assert _table(folder / "out" / name).equals(_table(tmp_path / "out" / name))
    assert rescore(remote).rescored_rows == 0


@pytest.mark.usefixtures("annotated")
def test_a_rescored_output_in_a_bucket_is_gone_on_with_and_rescored_itself(folder: Remote) -> None:
    config = RescoreConfig(input=f"{folder}/annotated", output=f"{folder}/out", null_threshold=0.5)
    rescore(config)
    places.delete([folder / "out" / "_SUCCESS", folder / "out" / "part-0000001.parquet"])
    assert rescore(config).rescored_rows == 2
    with pytest.raises(RayQaError, match="overwrite"):
        rescore(config.model_copy(update={"null_threshold": -9.0}))
    assert rescore(config.model_copy(update={"null_threshold": -9.0, "overwrite": True})).counts.answered == 0
    back = RescoreConfig(input=f"{folder}/out", output=f"{folder}/back", always_answer=True)
    assert rescore(back).counts.answered == 4


@pytest.mark.usefixtures("annotated")
def test_what_is_not_there_or_lies_in_the_input_is_refused(folder: Remote) -> None:
    with pytest.raises(
        RayQaError, match=f"^`input` must be a folder that annotate wrote, but {folder}/nothing is not there"
    ):
        rescore(RescoreConfig(input=f"{folder}/nothing", output=f"{folder}/out", null_threshold=0.5))
    with pytest.raises(RayQaError, match=r"^`output` must"):
        rescore(RescoreConfig(input=f"{folder}/annotated", output=f"{folder}/annotated/out", null_threshold=0.5))


@pytest.mark.usefixtures("annotated")
def test_a_calibration_and_gold_answers_are_read_from_the_bucket(folder: Remote) -> None:
    objects.publish(folder / "gold.jsonl", b'{"id": "a", "answers": {"text": ["oxygen"], "answer_start": [18]}}\n')
    config = RescoreConfig(input=f"{folder}/annotated", output=f"{folder}/out", calibration=f"{folder}/ray_qa.json")
    with pytest.raises(RayQaError, match=f"^`calibration` must be a file that calibrate wrote, but {folder}/ray_qa"):
        rescore(config)
    asked = {"calibration": None, "target_precision": 0.9, "gold": f"{folder}/gold.jsonl"}
    with pytest.raises(RayQaError, match=r"^`gold` must have at least \d+ rows of `input` to promise 90 % .* has 1;"):
        rescore(config.model_copy(update=asked))


def _table(place: Place) -> pa.Table:
    return pq.read_table(io.BytesIO(places.read(place))).replace_schema_metadata()
