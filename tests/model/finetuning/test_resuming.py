"""Training that is cut off goes on as if it never had been: equal to the bit, with one worker and with three."""

from __future__ import annotations

import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ray_qa.errors import OutputError
from ray_qa.finetuning.checkpoints import checkpoint_path, checkpoint_steps
from ray_qa.finetuning.job import TrainingJob
from ray_qa.finetuning.loop import NodeLeavesError, train
from ray_qa.finetuning.output import TRAIN_ROWS
from ray_qa.finetuning.tracking.metrics_log import METRICS, read_metrics
from ray_qa.runs.ownership import claim
from tests.model.finetuning.training_rows import prepared, processes, questions, train_in_processes, weights

ROWS = questions(120, unanswerable=0.3)
SETTINGS: dict[str, Any] = {
    "epochs": 3,
    "dropout": 0.2,
    "save_every": 7,
    "negative_ratio": 0.3,
    "batch_tokens": 250,
    "learning_rate": 1e-3,
    "eval_every": 20,
}


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_a_process_that_stops_and_starts_again_ends_with_the_same_weights(
    tiny_base: Path, tmp_path: Path, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = SETTINGS | {"dtype": dtype}
    undisturbed = prepared(tmp_path / "undisturbed", tiny_base, ROWS, eval_rows=questions(12), **settings)
    disturbed = prepared(tmp_path / "disturbed", tiny_base, ROWS, eval_rows=questions(12), **settings)
    expected = train(undisturbed)

    for last_step in (3, 11, 22, 26):  # before the first checkpoint, between two, after one of an evaluation
        _stop_after(last_step, monkeypatch)
        with pytest.raises(KeyboardInterrupt):
            train(disturbed)
    monkeypatch.undo()
    state = train(disturbed)

    assert state == expected
    _assert_equal(disturbed, undisturbed)


def test_a_process_whose_node_is_to_be_taken_away_stops_after_a_checkpoint_and_goes_on_from_there(
    tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = SETTINGS | {"save_every": 1_000}
    undisturbed = prepared(tmp_path / "undisturbed", tiny_base, ROWS, **settings)
    disturbed = prepared(tmp_path / "disturbed", tiny_base, ROWS, **settings)
    expected = train(undisturbed)

    for told, step in ((iter([False, False, True]), 3), (iter([True]), 4)):
        monkeypatch.setattr("ray_qa.cluster.worker.NodeWatch.look", lambda _, told=told: next(told))
        with pytest.raises(NodeLeavesError):
            train(disturbed)
        assert checkpoint_steps(Path(disturbed.config.output))[-1] == step
    told = iter([*[False] * (expected.step - 5), True])  # at the last step nothing is left to stop for
    monkeypatch.setattr("ray_qa.cluster.worker.NodeWatch.look", lambda _: next(told))
    state = train(disturbed)

    assert state == expected
    _assert_equal(disturbed, undisturbed)


@pytest.mark.slow
@pytest.mark.timeout(1_200)
def test_three_workers_whose_processes_are_killed_ends_with_the_same_weights(tiny_base: Path, tmp_path: Path) -> None:
    short = SETTINGS | {"epochs": 1, "save_every": 4}
    undisturbed = prepared(tmp_path / "undisturbed", tiny_base, ROWS, **short)
    disturbed = prepared(tmp_path / "disturbed", tiny_base, ROWS, **short)
    train_in_processes(undisturbed, 3)

    with processes(disturbed, 3) as members:
        _wait_for_a_checkpoint(disturbed)
        members[1].kill()
    train_in_processes(disturbed, 3)

    _assert_equal(disturbed, undisturbed)


@pytest.mark.timeout(1_200)
def test_a_run_that_goes_on_with_other_workers_says_so(tiny_base: Path, tmp_path: Path) -> None:
    job = prepared(tmp_path / "run", tiny_base, ROWS, epochs=1, save_every=4)
    with processes(job, 2) as members:
        _wait_for_a_checkpoint(job)
        members[1].kill()
    state = train(replace(job, threads=2))

    assert [str(each) for each in state.teams] == [
        "2 workers on cpu in float32, 1 thread each", "1 worker on cpu in float32, 2 threads each"
    ]  # fmt: skip


def test_a_finished_run_has_nothing_left_to_do(tiny_base: Path, tmp_path: Path) -> None:
    job = prepared(tmp_path / "run", tiny_base, questions(16), max_steps=3)
    first = train(job)
    before = (Path(job.config.output) / METRICS).read_bytes()

    assert train(job) == first
    assert (Path(job.config.output) / METRICS).read_bytes() == before


def test_workers_of_a_command_that_was_replaced_write_no_more(tiny_base: Path, tmp_path: Path) -> None:
    job = prepared(tmp_path / "run", tiny_base, questions(40), max_steps=5)
    output = Path(job.config.output)
    first, second = (replace(job, owner=owner) for owner in ("first", "second"))
    claim(output, "second")
    with pytest.raises(OutputError, match="`output` must be one command's at a time, but another has taken"):
        train(first)
    assert read_metrics(output / METRICS) == []
    assert train(second).step == 5


def test_after_a_while_without_a_checkpoint_one_is_made(
    tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ray_qa.finetuning.loop.SAVE_SECONDS", 0.0)
    job = prepared(tmp_path / "run", tiny_base, questions(40), max_steps=4, keep_checkpoints=9)
    train(job)
    assert checkpoint_steps(Path(job.config.output)) == [1, 2, 3, 4]


def test_a_checkpoint_that_cannot_be_read_is_named_with_what_to_do(tiny_base: Path, tmp_path: Path) -> None:
    job = prepared(tmp_path / "run", tiny_base, questions(40), max_steps=4, save_every=2)
    train(job)
    broken = checkpoint_path(Path(job.config.output), 4)
    (broken / "model.safetensors").write_bytes(b"nonsense")
    with pytest.raises(OutputError, match=f"{broken} must be a whole checkpoint, but gives: .*; remove it to go on"):
        train(job)
    shutil.rmtree(broken)
    assert train(job).step == 4


def test_a_worker_that_does_not_see_the_output_says_so(tiny_base: Path, tmp_path: Path) -> None:
    job = prepared(tmp_path / "run", tiny_base, questions(40), max_steps=2)
    (Path(job.config.output) / TRAIN_ROWS).unlink()
    with pytest.raises(OutputError, match=r"`output` must be the same folder on every node, but .* is not on"):
        train(job)


def _wait_for_a_checkpoint(job: TrainingJob) -> None:
    deadline = time.monotonic() + 240
    while not checkpoint_steps(Path(job.config.output)):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _stop_after(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stop the loop as Ctrl-C would, before it can save."""
    from ray_qa.finetuning.loop import _Run

    log_and_save = _Run.log_and_save

    def stop(run: _Run, state: Any, **place: Any) -> Any:
        if state.step == step:
            raise KeyboardInterrupt
        return log_and_save(run, state, **place)

    monkeypatch.undo()
    log_and_save = _Run.log_and_save
    monkeypatch.setattr(_Run, "log_and_save", stop)


def _assert_equal(one: TrainingJob, other: TrainingJob) -> None:
    ours, theirs = weights(one), weights(other)
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if not np.array_equal(ours[name], theirs[name])] == []
    assert _learnt(one) == _learnt(other)


def _learnt(job: TrainingJob) -> list[dict[str, float]]:
    """The log without what depends on the clock."""
    kept = ("step", "loss", "learning_rate", "gradient_norm", "loss_scale", "bad_steps", "eval_f1", "eval_exact")
    return [
        {name: value for name, value in line.items() if name in kept}
        for line in read_metrics(Path(job.config.output) / METRICS)
    ]
