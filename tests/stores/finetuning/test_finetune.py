"""``ray-qa finetune`` where rows, base and output lie in a bucket."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load, load_file

from ray_qa.finetuning.checkpoints import (
    TrainingState,
    checkpoint_here,
    checkpoint_path,
    checkpoint_steps,
    publish_checkpoint,
    read_state,
)
from ray_qa.finetuning.tracking.metrics_log import METRICS, append_metrics, go_back_to, read_metrics
from ray_qa.storage import objects, places
from ray_qa.storage.remote import Remote
from ray_qa.storage.scratch import scratch_folder
from tests.cluster.processes import driver, training_workers_below, wait_until
from tests.model.finetuning.training_rows import questions
from tests.stores.server import Server

SETTINGS = (
    "--workers", "2", "--cpus-per-worker", "0.5", "--max-tokens", "96", "--stride", "16", "--max-question-tokens", "24",
    "--batch-size", "8", "--max-steps", "30", "--epochs", "20", "--save-every", "4", "--eval-every", "15",
    "--learning-rate", "1e-3", "--dropout", "0.2", "--log-every", "5",
)  # fmt: skip


@pytest.fixture
def rows(folder: Remote, tiny_base: Path, tmp_path: Path) -> Path:
    """Rows and a base, here and in the bucket."""
    path = tmp_path / "rows.parquet"
    pq.write_table(questions(60, unanswerable=0.3), path)
    objects.publish(folder / "rows.parquet", path.read_bytes())
    for each in tiny_base.iterdir():
        objects.publish(folder / "base" / each.name, each.read_bytes())
    return path


def in_bucket(folder: Remote, scratch: Path) -> list[str]:
    rows, base = f"{folder}/rows.parquet", f"{folder}/base"
    named = ["--train", rows, "--eval", rows, "--model", base, "--output", f"{folder}/out"]
    return [*SETTINGS, *named, "--scratch", str(scratch)]


@pytest.mark.slow
@pytest.mark.timeout(1_200)
def test_a_worker_and_a_driver_that_are_killed_leave_no_trace_in_weights_that_lie_in_a_bucket(
    server: Server, folder: Remote, rows: Path, tiny_base: Path, tmp_path: Path
) -> None:
    here = ["--train", str(rows), "--eval", str(rows), "--model", str(tiny_base), "--output", str(tmp_path / "out")]
    subprocess.run([sys.executable, "-m", "ray_qa", "finetune", *SETTINGS, *here], check=True, capture_output=True)
    output, flags, said = folder / "out", in_bucket(folder, tmp_path / "scratch"), tmp_path / "err"

    with driver("finetune", flags, said) as process:
        wait_until(lambda: max(checkpoint_steps(output), default=0) >= 4, "a checkpoint")
        os.kill(max(training_workers_below(process.pid)), signal.SIGKILL)
        wait_until(lambda: max(checkpoint_steps(output), default=0) >= 12, "a later checkpoint")
    assert not places.exists(output / "_SUCCESS")

    again = subprocess.run(
        [sys.executable, "-m", "ray_qa", "finetune", *flags], check=False, capture_output=True, text=True
    )
    assert again.returncode == 0, again.stderr
    ours, theirs = load(objects.read(output / "model.safetensors")), load_file(tmp_path / "out" / "model.safetensors")
    assert [name for name in theirs if not np.array_equal(ours[name], theirs[name])] == []
    names = {path.name for path in (tmp_path / "out").iterdir()}
    kept = [each.place.key.removeprefix(f"{output.key}/").split("/") for each in objects.list_below(output)]
    assert {path[0] for path in kept} == names - {".ray_qa.lock"}
    assert {path[1] for path in kept if path[0] == ".ray_qa"} == {
        path.name for path in (tmp_path / "out" / ".ray_qa").iterdir()
    }
    assert list((tmp_path / "scratch").rglob("*.arrow")) == []

    finished = subprocess.run(
        [sys.executable, "-m", "ray_qa", "finetune", *flags], check=False, capture_output=True, text=True
    )
    assert "nothing to do" in finished.stdout
    written = b"".join(objects.read(each.place) for each in objects.list_below(folder))
    told = said.read_text() + again.stdout + again.stderr + finished.stdout + finished.stderr
    assert server.secret_key.encode() not in written
    assert server.secret_key not in told


def test_a_checkpoint_is_one_object_whose_state_is_read_alone(folder: Remote, tmp_path: Path) -> None:
    def save(draft: Path) -> None:
        (draft / "model.safetensors").write_bytes(b"weights")
        (draft / "optimizer.safetensors").write_bytes(b"moments")

    state = TrainingState(step=7, bad_steps=2)
    publish_checkpoint(folder, state, save, tmp_path)
    assert [each.place for each in objects.list_below(folder)] == [checkpoint_path(folder, 7)]
    assert checkpoint_steps(folder) == [7]
    assert read_state(folder, 7) == state
    here = checkpoint_here(folder, 7, scratch_folder(str(tmp_path), str(folder)))
    assert {path.name: path.read_bytes() for path in here.iterdir() if path.name != "state.json"} == {
        "model.safetensors": b"weights",
        "optimizer.safetensors": b"moments",
    }


def test_the_log_grows_by_being_published_again(folder: Remote) -> None:
    log = folder / METRICS
    for step in (1, 2, 3):
        append_metrics(log, {"step": step, "loss": 0.5})
    go_back_to(log, 2)
    append_metrics(log, {"step": 3, "loss": 0.25})
    assert [line["loss"] for line in read_metrics(log)] == [0.5, 0.5, 0.25]
