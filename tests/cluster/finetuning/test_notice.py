"""A node that is to be taken away, of which Ray is told beforehand: training stops in time and goes on elsewhere."""

from __future__ import annotations

import json
import time
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file

from ray_qa.cli.main import main
from ray_qa.finetuning.checkpoints import checkpoint_path, checkpoint_steps
from ray_qa.finetuning.tracking.metrics_log import METRICS, read_metrics
from tests.cluster import nodes
from tests.cluster.finetuning.conftest import SMALL, flags_of
from tests.cluster.finetuning.test_kills import A_FAILURE_ENDS_THE_RUN
from tests.cluster.processes import PATIENCE, driver, lines_but_progress, training_workers_below, wait_until
from tests.model.finetuning.training_rows import questions

pytestmark = pytest.mark.slow

NOTICE_SECONDS = 60
WAITING = "waiting for room for 2 workers with 1 CPUs and 0 GPUs each, as a node is taken away"
STEPS = 400
SETTINGS = SMALL | {
    "batch_size": 192, "workers": 2, "cpus_per_worker": 1.0, "epochs": 1_000, "max_steps": STEPS, "log_every": 1,
    "save_every": 10 * STEPS, "learning_rate": 1e-3, "dropout": 0.2, "negative_ratio": 0.5,
}  # fmt: skip


@pytest.mark.timeout(1_200)
def test_workers_stop_after_a_checkpoint_before_the_node_of_one_is_taken_away_and_go_on_from_it_elsewhere(
    tiny_base: Path, tmp_path: Path, ray_token: str
) -> None:
    pq.write_table(questions(600, unanswerable=0.3), tmp_path / "rows.parquet")
    flags = ["--model", str(tiny_base), "--train", str(tmp_path / "rows.parquet"), *flags_of(SETTINGS)]
    output, said = tmp_path / "out", tmp_path / "err"
    with (
        nodes.head(tmp_path, ray_token, cpus=0) as head,
        nodes.node(head, cpus=1) as one,
        nodes.node(head, cpus=1) as other,
        nodes.in_environment_of(head),
    ):
        command = [*flags, "--output", str(output), "--ray-address", head.address]
        with driver("finetune", command, said, program=("-c", A_FAILURE_ENDS_THE_RUN)) as process:
            until = partial(wait_until, by=process, said=said)
            until(lambda: len(read_metrics(output / METRICS)) > 10, "some steps")
            assert len(training_workers_below(one.pid)) == len(training_workers_below(other.pid)) == 1
            nodes.tell_to_leave(head, one, NOTICE_SECONDS)
            told = time.time()
            until(lambda: bool(checkpoint_steps(output)), "a checkpoint")
            (stopped,) = checkpoint_steps(output)
            saved = checkpoint_path(output, stopped).stat().st_mtime
            until(lambda: not training_workers_below(one.pid), "the worker has left")
            assert time.time() < told + NOTICE_SECONDS
            until(lambda: WAITING in said.read_text(), "waiting")
            with nodes.node(head, cpus=1):
                nodes.cut_off(one)
                assert process.wait(2 * PATIENCE) == 0, said.read_text()

    assert 10 <= stopped < STEPS
    log = read_metrics(output / METRICS)
    assert [line["step"] for line in log if line["time"] < saved] == [*range(1, stopped + 1)]
    assert [line["step"] for line in log if line["time"] > saved] == [*range(stopped + 1, STEPS + 1)]
    assert json.loads((output / ".ray_qa/run.json").read_text())["summary"]["restarts"] == 1
    assert lines_but_progress(said.read_text()) == []

    assert main(["finetune", *flags, "--output", str(tmp_path / "undisturbed")]) == 0
    ours, theirs = (load_file(tmp_path / run / "model.safetensors") for run in ("out", "undisturbed"))
    assert [name for name in theirs if not np.array_equal(ours[name], theirs[name])] == []
