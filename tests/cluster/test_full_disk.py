"""A disk without room ends a run in one line, wherever that happens; with room, the same command goes on."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from ray_qa.cli.main import main
from tests.cluster import corpora
from tests.cluster.processes import lines_but_progress
from tests.model.finetuning.training_rows import questions

pytestmark = pytest.mark.usefixtures("ray_cluster")
SMALL = ["--max-tokens", "96", "--stride", "16", "--max-question-tokens", "24"]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a size that can be set, without any room yet."""
    path = tmp_path / "disk"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(path)]
    if not shutil.which("mount") or subprocess.run(mount, check=False).returncode:
        pytest.skip("a small file system cannot be mounted here")
    yield path
    subprocess.run(["umount", path], check=True)


@pytest.mark.timeout(1_200)
@pytest.mark.slow
def test_finetune_says_so_at_every_stage_and_goes_on_when_there_is_room(
    disk: Path, tiny_base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pq.write_table(questions(120), tmp_path / "rows.parquet")
    files = ["--model", str(tiny_base), "--train", str(tmp_path / "rows.parquet"), "--output", str(disk / "out")]
    flags = [*files, *SMALL, "--max-steps", "6", "--save-every", "3", "--workers", "1", "--cpus-per-worker", "1"]

    _succeeds_only_with_room(disk, ["finetune", *flags], ["4k", "64k", "256k"], capsys)

    assert (disk / "out" / "model.safetensors").exists()


def test_annotate_says_so_in_the_middle_and_goes_on_when_there_is_room(
    disk: Path, tiny_reader_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = corpora.write(tmp_path / "rows.parquet", corpora.plain(40))
    flags = ["--input", str(rows), "--output", str(disk / "out"), "--model", str(tiny_reader_folder)]
    flags += ["--replicas", "1", "--unit-rows", "10"]

    _succeeds_only_with_room(disk, ["annotate", *flags], ["32k"], capsys)

    assert len(list((disk / "out").glob("part-*.parquet"))) == 4


def _succeeds_only_with_room(
    disk: Path, command: list[str], too_small: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    for size in too_small:
        _resize(disk, size)
        assert main(command) == 2
        (line,) = lines_but_progress(capsys.readouterr().err)
        assert line.startswith(f"ray-qa {command[0]}: `output` must be writable, but ")
        assert "No space left on device" in line
    _resize(disk, "64m")
    assert main(command) == 0


def _resize(disk: Path, size: str) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", disk], check=True)
