"""What happens when the same command, or almost the same, is given again."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from ray_qa import AnnotateConfig, RayQaError, annotate
from ray_qa.cli.main import main
from tests.cluster import corpora
from tests.cluster.conftest import Annotated
from tests.tiny import tiny_reader


@pytest.fixture
def no_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail where Ray would be reached."""

    def refuse(address: str | None) -> None:
        raise AssertionError(f"Ray was about to be started ({address})")

    monkeypatch.setattr("ray_qa.annotation.running.connected", refuse)


@pytest.mark.usefixtures("no_ray")
def test_a_finished_run_is_reported_again_without_starting_ray(annotated: Annotated) -> None:
    before = _tree(annotated.folder)
    again = annotate(annotated.config)

    assert again.counts == annotated.summary.counts
    assert (again.units, again.exit_code) == (annotated.summary.units, 0)
    assert again.rows_per_second == pytest.approx(annotated.summary.rows_per_second, rel=0.01)
    assert _tree(annotated.folder) == before


@pytest.mark.usefixtures("no_ray")
@pytest.mark.parametrize(("max_failed", "exit_code"), [("0", 3), ("0.1", 3), ("0.5", 0)])
def test_a_finished_run_is_judged_by_the_max_failed_of_the_new_command(
    annotated: Annotated, max_failed: str, exit_code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["annotate", *annotated.flags, "--max-failed", max_failed]) == exit_code
    assert ("exit code 3" in capsys.readouterr().out) == (exit_code == 3)


@pytest.mark.usefixtures("no_ray")
def test_the_command_line_prints_the_summary_of_a_finished_run(
    annotated: Annotated, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["annotate", *annotated.flags]) == 0

    printed = capsys.readouterr()
    counts = annotated.summary.counts
    assert f"{counts.rows} rows = {counts.answered} answered + {counts.no_answer} no answer" in printed.out
    assert str(annotated.folder) in printed.out
    assert printed.err == ""


@pytest.mark.usefixtures("no_ray")
def test_an_input_that_was_only_touched_is_the_same_input(annotated: Annotated, tmp_path: Path) -> None:
    config = _with_own_input(annotated, tmp_path)
    (file, *_) = sorted((tmp_path / "in").iterdir())
    os.utime(file, ns=(1, 1))

    assert annotate(config).counts == annotated.summary.counts


def test_a_resumed_run_writes_only_the_parts_that_are_not_there(annotated: Annotated, tmp_path: Path) -> None:
    config = annotated.copied_to(tmp_path / "out")
    lost = {annotated.parts[number].name for number in (0, 3, 4, len(annotated.parts) - 1)}
    rows = sum(pq.read_metadata(tmp_path / "out" / name).num_rows for name in lost)
    for name in (*lost, "_SUCCESS", ".ray_qa/run.json"):
        (tmp_path / "out" / name).unlink()
    before = _tree(tmp_path / "out")
    summary = annotate(config)
    after = _tree(tmp_path / "out")

    assert summary.scored_rows == rows
    assert summary.counts == annotated.summary.counts
    new = {name for name in set(after) - set(before) if not name.startswith(".ray_qa/timelines/")}
    assert new == lost | {"_SUCCESS", ".ray_qa/run.json"}
    assert {name: after[name] for name in before} == before
    for part in annotated.parts:
        assert (tmp_path / "out" / part.name).read_bytes() == part.read_bytes()


def test_overwrite_starts_again_and_leaves_nothing_of_the_earlier_run(annotated: Annotated, tmp_path: Path) -> None:
    config = annotated.copied_to(tmp_path / "out")
    shorter = config.model_copy(update={"overwrite": True, "unit_rows": 30, "max_answer_tokens": 2, "keep": ("id",)})
    summary = annotate(shorter)
    parts = sorted((tmp_path / "out").glob("part-*.parquet"))

    assert len(parts) == summary.units < annotated.summary.units
    assert summary.scored_rows == summary.counts.rows == annotated.rows.num_rows
    assert pq.read_schema(parts[0]).names[:2] == ["id", "answer"]


@pytest.mark.usefixtures("no_ray")
@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"n_best": 2}, ["`n_best` (1 there, 2 now)"]),
        ({"unit_rows": 6}, ["`unit_rows` (5 there, 6 now)"]),
        ({"keep": ("id",), "stride": 8}, ["`keep`", "`stride` (32 there, 8 now)"]),
        ({"always_answer": True, "prefix": "qa_"}, ["`always_answer` (False there, True now)", "`prefix`"]),
    ],
)
def test_other_settings_are_refused_by_name(annotated: Annotated, change: dict[str, Any], named: list[str]) -> None:
    before = _tree(annotated.folder)
    with pytest.raises(RayQaError) as caught:
        annotate(annotated.config.model_copy(update=change))

    (problem,) = caught.value.problems
    assert all(name in problem for name in named)
    assert str(annotated.folder) in problem
    assert "--overwrite" in problem
    assert _tree(annotated.folder) == before


@pytest.mark.usefixtures("no_ray")
def test_another_model_is_refused(annotated: Annotated, tmp_path: Path) -> None:
    other = annotated.config.model_copy(update={"model": str(tiny_reader(tmp_path, seed=1))})
    with pytest.raises(RayQaError, match=r"the model's weights \(\w+ there, \w+ now\)"):
        annotate(other)


@pytest.mark.usefixtures("no_ray")
def test_a_changed_a_missing_and_a_new_input_file_are_refused_by_name(annotated: Annotated, tmp_path: Path) -> None:
    config = _with_own_input(annotated, tmp_path)
    changed, gone, _ = sorted((tmp_path / "in").iterdir())
    corpora.write(changed, pq.read_table(changed).slice(1))
    shutil.move(gone, tmp_path / "in" / "new.parquet")
    with pytest.raises(RayQaError) as caught:
        annotate(config)

    problem = str(caught.value)
    assert f"{changed} has changed" in problem
    assert f"{gone} was there, and is not now" in problem
    assert f"{tmp_path / 'in' / 'new.parquet'} is new" in problem


@pytest.mark.usefixtures("no_ray")
@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("foreign", ["notes.txt", "part-0000000.parquet", "_SUCCESS", "more/part-0000000.parquet"])
def test_a_folder_that_holds_something_else_is_never_touched(
    annotated: Annotated, tmp_path: Path, foreign: str, overwrite: bool
) -> None:
    (tmp_path / foreign).parent.mkdir(exist_ok=True)
    (tmp_path / foreign).write_text("precious")
    before = _tree(tmp_path)
    with pytest.raises(RayQaError, match=foreign.partition("/")[0]):
        annotate(annotated.config.model_copy(update={"output": str(tmp_path), "overwrite": overwrite}))

    assert _tree(tmp_path) == before


@pytest.mark.usefixtures("no_ray")
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_of_ours_is_not_touched_once_something_else_lies_in_it(
    annotated: Annotated, tmp_path: Path, overwrite: bool
) -> None:
    config = annotated.copied_to(tmp_path / "out")
    (tmp_path / "out" / "report.csv").write_text("precious")
    before = _tree(tmp_path)
    with pytest.raises(RayQaError, match=r"report\.csv"):
        annotate(config.model_copy(update={"overwrite": overwrite}))

    assert _tree(tmp_path) == before


def _tree(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Every file below a folder, with what would change if it were written again."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    stats = {str(path.relative_to(folder)): path.stat() for path in files}
    return {name: (stat.st_ino, stat.st_mtime_ns, stat.st_size) for name, stat in stats.items()}


def _with_own_input(annotated: Annotated, folder: Path) -> AnnotateConfig:
    """A finished run whose input is a copy in ``folder`` that may be changed."""
    config = annotated.copied_to(folder / "out")
    shutil.copytree(Path(annotated.config.input[0]), folder / "in")
    plan = folder / "out" / ".ray_qa" / "plan.json"
    plan.write_text(plan.read_text().replace(annotated.config.input[0], str(folder / "in")))
    return config.model_copy(update={"input": (str(folder / "in"),)})
