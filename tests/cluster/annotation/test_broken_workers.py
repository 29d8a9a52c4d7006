"""What goes wrong only on workers, while the run is on: it ends in one line, or goes on without a trace."""

from __future__ import annotations

import os
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import ray
import torch

from ray_qa import annotate
from ray_qa.cli.main import main
from tests.cluster.conftest import Annotated
from tests.cluster.processes import lines_but_progress, one_killed, replicas_below, wait_until

SIDE_FILES = ["engine.json", "owner", "plan.json", "run.json", "timelines"]


def test_a_page_that_cannot_be_read_ends_the_run_and_keeps_the_parts_until_the_file_is_mended(
    uninterrupted: Annotated, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, output = tmp_path / "in.parquet", tmp_path / "out"
    sound = Path(uninterrupted.config.input[0]).read_bytes()
    page = pq.read_metadata(uninterrupted.config.input[0]).row_group(2).column(2).data_page_offset
    shutil.copytree(uninterrupted.folder, output)
    (output / "_SUCCESS").unlink()
    for part in sorted(output.glob("part-*.parquet"))[len(uninterrupted.parts) // 3 :]:
        part.unlink()
    kept = {part.name: part.stat().st_ino for part in output.glob("part-*.parquet")}
    own = uninterrupted.config.model_copy(update={"input": (str(path),), "output": str(output)})
    flags = replace(uninterrupted, config=own).flags
    plan = output / ".ray_qa/plan.json"
    plan.write_text(plan.read_text().replace(uninterrupted.config.input[0], str(path)))

    path.write_bytes(sound[:page] + b"\xff" * 64 + sound[page + 64 :])
    assert main(["annotate", *flags]) == 2
    (line,) = lines_but_progress(capsys.readouterr().err)
    assert str(path) in line
    assert {part.name: part.stat().st_ino for part in output.glob("part-*.parquet")}.items() >= kept.items()
    # Neither the replica nor a reading task is left, in a session that goes on.
    wait_until(_all_cpus_are_free, "all CPUs are free")

    path.write_bytes(sound)
    assert main(["annotate", *flags]) == 0
    assert {part.name: part.stat().st_ino for part in output.glob("part-*.parquet")}.items() >= kept.items()
    _assert_same_parts(uninterrupted, output)


def test_a_replica_that_is_killed_in_the_middle_leaves_no_trace_in_the_output(
    uninterrupted: Annotated, tmp_path: Path
) -> None:
    others = replicas_below(os.getpid())
    third = len(uninterrupted.parts) // 3
    with one_killed(
        lambda: replicas_below(os.getpid()) - others,
        lambda: len(list(tmp_path.glob("part-*.parquet"))) >= third,
        "a third",
    ) as killed:
        summary = annotate(uninterrupted.config.model_copy(update={"output": str(tmp_path)}))

    assert len(killed) == 1
    assert summary.scored_rows == uninterrupted.rows.num_rows
    assert summary.counts == uninterrupted.summary.counts
    assert sorted(path.name for path in (tmp_path / ".ray_qa").iterdir()) == SIDE_FILES
    _assert_same_parts(uninterrupted, tmp_path)


@pytest.mark.skipif(torch.backends.mps.is_available(), reason="MPS is there, so a replica can load its model")
def test_a_replica_that_cannot_load_its_model_ends_the_run_in_one_line(
    uninterrupted: Annotated, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["annotate", *uninterrupted.flags, "--output", str(tmp_path), "--device", "mps"]) == 2

    (line,) = lines_but_progress(capsys.readouterr().err)
    assert "`device` must be one this machine has, but mps gives: " in line


def test_a_gpu_that_the_machine_has_not_is_refused_at_once(
    uninterrupted: Annotated, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["annotate", *uninterrupted.flags, "--output", str(tmp_path / "out"), "--device", "cuda"]) == 2
    (line,) = lines_but_progress(capsys.readouterr().err)
    assert re.search(r"`replicas` must fit the machine \(\d+ CPUs and 0 GPUs\), but \d+ are asked for, each with", line)
    assert not (tmp_path / "out" / ".ray_qa" / "plan.json").exists()


def _assert_same_parts(uninterrupted: Annotated, folder: Path) -> None:
    parts = sorted(folder.glob("part-*.parquet"))
    assert [part.name for part in parts] == [part.name for part in uninterrupted.parts]
    for ours, other in zip(parts, uninterrupted.parts, strict=True):
        assert ours.read_bytes() == other.read_bytes(), ours.name


def _all_cpus_are_free() -> bool:
    free: dict[str, float] = ray.available_resources()  # type: ignore[no-untyped-call]  # Ray leaves it untyped
    there: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]  # Ray leaves it untyped
    return free.get("CPU") == there["CPU"]
