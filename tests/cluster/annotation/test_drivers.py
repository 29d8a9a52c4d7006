"""Drivers that are killed with all they started, as by a machine that goes down, and drivers that meet."""

from __future__ import annotations

from pathlib import Path

import pytest

from ray_qa import annotate
from tests.cluster.conftest import Annotated
from tests.cluster.processes import PATIENCE, assert_gone, driver, kill_group, lines_but_progress, psutil, wait_until

pytestmark = pytest.mark.slow

SIDE_FILES = ["engine.json", "owner", "plan.json", "run.json", "timelines"]


@pytest.mark.timeout(1_200)
def test_a_run_that_is_killed_early_and_late_and_ended_by_two_drivers_at_once_equals_an_uninterrupted_one(
    uninterrupted: Annotated, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    units = len(uninterrupted.parts)
    moments = (1, units - 8)
    command = [*uninterrupted.flags, "--output", str(output)]
    orphans = []
    for moment in moments:
        with driver("annotate", command, tmp_path / "err") as process:
            _wait_for_parts(output, moment)
            assert process.poll() is None
            orphans += kill_group(process)
        assert not (output / "_SUCCESS").exists()
    kept = {part.name: part.stat().st_ino for part in _parts(output)}
    assert moments[-1] <= len(kept) < units

    # As many replicas as this machine has room for: the run ends, so some room is left to read with.
    with driver("annotate", [*command, "--replicas", "auto"], tmp_path / "err") as one:
        other = annotate(uninterrupted.config.model_copy(update={"output": str(output)}))
        assert one.wait(PATIENCE) == 0

    assert_gone(orphans)
    assert other.counts == uninterrupted.summary.counts
    assert {part.name: part.stat().st_ino for part in _parts(output)}.items() >= kept.items()
    _assert_finished_and_equal(output, uninterrupted)
    assert lines_but_progress((tmp_path / "err").read_text()) == []


def _assert_finished_and_equal(output: Path, uninterrupted: Annotated) -> None:
    names = [path.name for path in (output / ".ray_qa").iterdir()]
    assert sorted(names) == SIDE_FILES
    assert (output / "_SUCCESS").exists()
    assert [part.name for part in _parts(output)] == [part.name for part in uninterrupted.parts]
    for ours, other in zip(_parts(output), uninterrupted.parts, strict=True):
        assert ours.read_bytes() == other.read_bytes(), ours.name


def _wait_for_parts(output: Path, count: int) -> None:
    wait_until(lambda: len(_parts(output)) >= count, f"{count} parts")


def _parts(output: Path) -> list[Path]:
    return sorted(output.glob("part-*.parquet"))


def test_sigterm_ends_a_run_in_one_line_with_code_143_and_nothing_stays_behind(
    uninterrupted: Annotated, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    with driver("annotate", [*uninterrupted.flags, "--output", str(output)], tmp_path / "err") as process:
        _wait_for_parts(output, 1)
        started = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        assert process.wait(PATIENCE) == 143
    assert started
    assert_gone(started)
    assert lines_but_progress((tmp_path / "err").read_text()) == [
        "ray-qa annotate: stopped; what is done is kept, and the same command goes on from there"
    ]
