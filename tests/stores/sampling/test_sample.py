"""``ray-qa sample`` out of a bucket and into it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ray_qa.errors import RayQaError
from ray_qa.sampling.config import SampleConfig
from ray_qa.sampling.sample import sample
from ray_qa.storage import objects, places
from ray_qa.storage.credentials import Access, use_access
from ray_qa.storage.remote import Remote
from tests.stores.server import PUBLIC, Server


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


def test_a_public_output_is_read_in_nobodys_name_and_the_sample_written_in_ours(
    server: Server, annotated: Path, folder: Remote
) -> None:
    for path in annotated.rglob("*"):
        if path.is_file():
            name = f"{PUBLIC}/{folder.key}/{path.relative_to(annotated)}"
            with server.owners_files.open_output_stream(name) as stream:
                stream.write(path.read_bytes())
    config = SampleConfig(input=f"s3://{PUBLIC}/{folder.key}", output=f"{folder}/tasks.json", random=3)
    with pytest.raises(RayQaError, match="but the store refuses"):
        sample(config)
    try:
        assert sample(config.model_copy(update={"anonymous": True})).rows == 3
        assert objects.read(folder / "tasks.json")
    finally:
        use_access(Access())


@pytest.mark.usefixtures("annotated")
def test_an_output_that_is_not_there_and_what_is_none_are_told_apart(folder: Remote) -> None:
    objects.publish(folder / "rows.parquet", b"PAR1")
    for name, problem in (
        ("nowhere", "is not there"),
        ("annotated/.ray_qa", "has no plan of annotate"),
        ("rows.parquet", "is a table of rows; give the folder that annotate wrote"),
    ):
        with pytest.raises(
            RayQaError, match=f"^`input` must be a folder that annotate wrote, but {folder}/{name} {problem}$"
        ):
            sample(SampleConfig(input=f"{folder}/{name}", output=f"{folder}/out", random=1))
