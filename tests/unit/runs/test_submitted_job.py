from __future__ import annotations

from pathlib import Path

import pytest

from ray_qa.errors import InputError
from ray_qa.runs.submitted_job import check_outlives_job


@pytest.fixture
def uploaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory as a submitted job has it."""
    folder = tmp_path / "session_1/runtime_resources/working_dir_files/_ray_pkg_0123"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("path", ["out", "./in.parquet", "data/*.parquet", "../_ray_pkg_0123/out"])
def test_in_a_submitted_job_what_lies_in_the_uploaded_copy_is_refused(uploaded: Path, path: str) -> None:
    for each in (path, str(uploaded / path)):
        with pytest.raises(InputError) as caught:
            check_outlives_job("output", each)
        (line,) = caught.value.problems
        assert line.startswith(f"`output` must be an absolute path in a submitted job, but {each!r} lies in Ray's copy")


def test_shared_paths_and_urls_are_taken_in_a_submitted_job_and_all_paths_elsewhere(
    uploaded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in ("/shared/out", str(tmp_path), "s3://bucket/out", "~/out"):
        check_outlives_job("output", path)
    monkeypatch.chdir(tmp_path)
    check_outlives_job("output", "out")
    check_outlives_job("output", str(uploaded / "out"))
