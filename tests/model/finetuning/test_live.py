"""What can be seen of the training loop between two lines of its log."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ray_qa.finetuning.job import TrainingJob
from ray_qa.finetuning.loop import train
from ray_qa.finetuning.output import BEAT
from ray_qa.finetuning.step import StepResult, take_step
from ray_qa.finetuning.tracking.beat import BeatWriter, read_beat
from ray_qa.finetuning.tracking.metrics_log import METRICS, Metrics, read_metrics
from tests.model.finetuning.training_rows import prepared, questions

Seen = list[tuple[int, str]]
"""Steps that are done, and what is being done besides."""


@pytest.fixture(autouse=True)
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ray_qa.finetuning.tracking.beat.BEAT_SECONDS", 0.0)


def beat_of(job: TrainingJob) -> dict[str, Any]:
    return dict(read_beat(Path(job.config.output) / BEAT) or {})


def seen_at_the_start_of_steps(job: TrainingJob, monkeypatch: pytest.MonkeyPatch, stop_before: int = 0) -> Seen:
    """Train, and be stopped before a step."""
    seen: Seen = []

    def look(*args: Any, **settings: Any) -> StepResult:
        beat = beat_of(job)
        if beat["step"] + 1 == stop_before:
            raise KeyboardInterrupt
        seen.append((beat["step"], beat["doing"]))
        return take_step(*args, **settings)

    with monkeypatch.context() as patched:
        patched.setattr("ray_qa.finetuning.loop.take_step", look)
        if stop_before:
            with pytest.raises(KeyboardInterrupt):
                train(job)
        else:
            train(job)
    return seen


def test_every_step_is_to_be_seen_when_it_is_done_and_what_else_is_done(
    tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = prepared(tmp_path / "run", tiny_base, questions(60), eval_rows=questions(9), max_steps=7, eval_every=5)
    seen: Seen = []
    write = BeatWriter.write

    def listen(writer: BeatWriter, line: Metrics, doing: str = "") -> None:
        write(writer, line, doing)
        beat = beat_of(job)
        assert ("loss" in beat) == ("step_seconds" in beat) == (doing != "taking the first step")
        seen.append((beat["step"], beat["doing"]))

    monkeypatch.setattr(BeatWriter, "write", listen)
    train(replace(job, config=job.config.model_copy(update={"log_every": 1_000})))

    logged = [line["step"] for line in read_metrics(Path(job.config.output) / METRICS) if "loss" in line]
    assert logged == [1, 7]
    assert seen == [
        (0, "taking the first step"), (1, ""), (2, ""), (3, ""), (4, ""),
        (5, "evaluating"), (5, "saving a checkpoint"), (5, ""), (6, ""),
        (7, "evaluating"), (7, "saving a checkpoint"), (7, ""),
    ]  # fmt: skip


def test_a_run_that_goes_on_is_seen_from_its_checkpoint_on(
    tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = prepared(tmp_path / "run", tiny_base, questions(60), max_steps=7, save_every=4)
    seen_at_the_start_of_steps(job, monkeypatch, stop_before=7)
    assert beat_of(job)["step"] == 6
    seen = seen_at_the_start_of_steps(job, monkeypatch)
    assert seen == [(4, "taking the first step"), (5, ""), (6, "")]


def test_where_nothing_is_left_to_do_there_is_nothing_to_be_seen(tiny_base: Path, tmp_path: Path) -> None:
    job = prepared(tmp_path / "run", tiny_base, questions(16), max_steps=2)
    train(job)
    train(job)
    assert beat_of(job) == {}


def test_what_cannot_be_seen_is_learnt_all_the_same(tiny_base: Path, tmp_path: Path) -> None:
    job = prepared(tmp_path / "run", tiny_base, questions(16), max_steps=2)
    (Path(job.config.output) / BEAT).mkdir()
    assert train(job).step == 2
