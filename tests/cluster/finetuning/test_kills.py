"""Workers, drivers and nodes that are killed while they train leave no trace in the weights."""

from __future__ import annotations

import json
import os
import re
import signal
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from ray_qa import finetune
from ray_qa.cli.main import main
from ray_qa.finetuning.checkpoints import checkpoint_steps
from ray_qa.finetuning.tracking.metrics_log import METRICS, read_metrics
from tests.cluster import nodes
from tests.cluster.finetuning.conftest import LAST_STEP, Trained, flags_of
from tests.cluster.processes import (
    PATIENCE,
    assert_ctrl_c_ends,
    assert_gone,
    driver,
    kill_group,
    lines_but_progress,
    on_terminal,
    one_killed,
    training_workers_below,
    wait_until,
)

pytestmark = pytest.mark.slow

A_FAILURE_ENDS_THE_RUN = """
import sys
from ray_qa.cli.main import main
from ray_qa.finetuning import workers

workers.MOST_FAILURES = 1
sys.exit(main())
"""


@pytest.mark.timeout(1_200)
def test_a_worker_that_is_killed_leaves_no_trace_in_the_weights(undisturbed: Trained, tmp_path: Path) -> None:
    output = tmp_path / "out"
    with one_killed(
        lambda: training_workers_below(os.getpid()),
        lambda: max(checkpoint_steps(output), default=0) >= 12,
        "a checkpoint",
    ) as killed:
        summary = finetune(undisturbed.config.model_copy(update={"output": str(output)}))

    assert len(killed) == 2
    assert summary.restarts == 1
    _assert_same(output, undisturbed)


@pytest.mark.timeout(1_200)
def test_a_driver_that_is_killed_goes_on_when_the_command_is_run_again(undisturbed: Trained, tmp_path: Path) -> None:
    output = tmp_path / "out"
    flags = [*undisturbed.flags, "--output", str(output)]
    with driver("finetune", flags, tmp_path / "err") as process:
        wait_until(lambda: max(checkpoint_steps(output), default=0) >= 8, "a checkpoint")
        assert process.poll() is None
        orphans = kill_group(process)
    for orphan in orphans:  # as on a machine that goes down; left alone, the workers would train on for seconds
        with suppress(ProcessLookupError):
            os.kill(orphan.pid, signal.SIGKILL)
    assert_gone(orphans)
    assert not (output / "_SUCCESS").exists()
    kept = checkpoint_steps(output)
    assert 8 <= kept[-1] < LAST_STEP

    changed = undisturbed.config.model_copy(update={"output": str(output), "learning_rate": 2e-3, "seed": 4})
    assert main(["finetune", *flags_of(changed)]) == 2
    assert checkpoint_steps(output) == kept

    assert main(["finetune", *flags]) == 0
    _assert_same(output, undisturbed)
    assert lines_but_progress((tmp_path / "err").read_text()) == []


def test_ctrl_c_ends_a_run_in_one_line_and_nothing_stays_behind(undisturbed: Trained, tmp_path: Path) -> None:
    output, said = tmp_path / "out", tmp_path / "err"
    with on_terminal("finetune", [*undisturbed.flags, "--output", str(output)], said) as command:
        wait_until(lambda: bool(checkpoint_steps(output)), "a checkpoint")
        assert_ctrl_c_ends(command)
    assert lines_but_progress(said.read_text()) == [
        "ray-qa finetune: stopped; what is done is kept, and the same command goes on from the last checkpoint"
    ]


@pytest.mark.timeout(1_200)
def test_a_node_that_goes_down_is_no_failure_whether_another_has_room_at_once_or_is_waited_for_and_leaves_no_trace(
    undisturbed: Trained, tmp_path: Path, ray_token: str
) -> None:
    output, said = tmp_path / "out", tmp_path / "err"
    with (
        nodes.head(tmp_path, ray_token, cpus=0) as head,
        nodes.node(head, cpus=2) as one,
        nodes.node(head, cpus=2) as other,
    ):
        flags = [*undisturbed.flags, "--output", str(output), "--ray-address", head.address]
        with driver("finetune", flags, said, program=("-c", A_FAILURE_ENDS_THE_RUN)) as process:
            wait_until(lambda: bool(checkpoint_steps(output)), "a checkpoint")
            (first,) = [node for node in (one, other) if training_workers_below(node.pid)]
            nodes.cut_off(first)
            kept = checkpoint_steps(output)[-1]
            wait_until(lambda: checkpoint_steps(output)[-1] > kept, "a checkpoint on the other node")
            nodes.cut_off(other if first is one else one)
            wait_until(lambda: _waits_for_lost(said), "waiting")
            assert process.poll() is None
            assert checkpoint_steps(output)[-1] < LAST_STEP
            with nodes.node(head, cpus=2):
                assert process.wait(PATIENCE) == 0, said.read_text()

    assert json.loads((output / ".ray_qa/run.json").read_text())["summary"]["restarts"] == 2
    _assert_same(output, undisturbed)


def _assert_same(output: Path, undisturbed: Trained) -> None:
    expected = Path(undisturbed.config.output)
    ours, theirs = load_file(output / "model.safetensors"), load_file(expected / "model.safetensors")
    assert [name for name in theirs if not np.array_equal(ours[name], theirs[name])] == []
    assert _learnt(output) == _learnt(expected)
    assert (output / "_SUCCESS").exists()


def _learnt(output: Path) -> list[dict[str, float]]:
    """The log without what depends on the clock."""
    kept = ("step", "loss", "learning_rate", "gradient_norm", "bad_steps", "eval_f1", "eval_exact")
    return [{name: line[name] for name in kept if name in line} for line in read_metrics(output / METRICS)]


def _waits_for_lost(said: Path) -> bool:
    """Whether that is the latest that the command has said."""
    latest = said.read_text().splitlines()[-1]
    return re.search(r"waiting for room for 2 workers with .* each, as one was lost", latest) is not None
