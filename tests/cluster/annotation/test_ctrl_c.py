"""Ctrl-C on a terminal, which sends it to the command and to all that Ray has started for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.conftest import Annotated
from tests.cluster.processes import assert_ctrl_c_ends, below, lines_but_progress, on_terminal, wait_until

pytestmark = pytest.mark.slow

STOPPED = "ray-qa annotate: stopped; what is done is kept, and the same command goes on from there"


@pytest.mark.parametrize("presses", [1, 2])
def test_ctrl_c_at_work_ends_annotate_in_one_line_however_often_it_is_pressed(
    uninterrupted: Annotated, tmp_path: Path, presses: int
) -> None:
    flags = [*uninterrupted.flags, "--output", str(tmp_path / "out")]
    with on_terminal("annotate", flags, tmp_path / "err") as command:
        wait_until(lambda: len(list((tmp_path / "out").glob("part-*.parquet"))) >= 3, "three parts")
        assert_ctrl_c_ends(command, presses)
    assert lines_but_progress((tmp_path / "err").read_text()) == [STOPPED]


def test_ctrl_c_while_ray_starts_ends_annotate_in_one_line(uninterrupted: Annotated, tmp_path: Path) -> None:
    flags = [*uninterrupted.flags, "--output", str(tmp_path / "out")]
    with on_terminal("annotate", flags, tmp_path / "err") as command:
        wait_until(lambda: bool(below(command.process.pid)), "Ray starts")
        assert_ctrl_c_ends(command)
    assert lines_but_progress((tmp_path / "err").read_text()) == [STOPPED]
