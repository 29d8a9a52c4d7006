"""``ray-qa sample`` out of a bucket and into it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ray_qa.errors import RayQaError
from ray_qa.sampling.config import SampleConfig
from ray_qa.sampling.sample import sample
from ray_qa.storage import objects, places
from ray_qa.storage.remote import Remote


@pytest.mark.parametrize("to", ["label-studio", "squad", "parquet"])
def test_a_sample_in_a_bucket_is_the_one_that_is_written_here(
    to: str, annotated: Path, folder: Remote, tmp_path: Path
) -> None:
    sample(SampleConfig(input=str(annotated), output=str(tmp_path / "out"), random=3, to=to))
    config = SampleConfig(input=f"{folder}/annotated", output=f"{folder}/new/out", random=3, to=to)
    assert sample(config).rows == 3
    assert objects.read(folder / "new/out") == (tmp_path / "out").read_bytes()
    with pytest.raises(RayQaError, match=f"^`output` must be a new file, but {folder}/new/out is there"):
        sample(config)
    assert sample(config.model_copy(update={"overwrite": True, "random": 1})).rows == 1


@pytest.mark.usefixtures("annotated")
def test_a_labelling_configuration_goes_there_and_nothing_into_the_input(folder: Remote) -> None:
    config = SampleConfig(
        input=f"{folder}/annotated", output=f"{folder}/tasks.json", labels_config=f"{folder}/labels.xml", random=1
    )
    sample(config)
    assert objects.read(folder / "labels.xml").startswith(b"<View>")
    with pytest.raises(RayQaError, match=r"^`output` must lie outside the output that is read"):
        sample(config.model_copy(update={"output": f"{folder}/annotated/tasks.json", "labels_config": None}))
    assert "tasks.json" not in places.names_in(folder / "annotated")
