"""What counts as a failure of the run's own: workers that die on nodes that are still there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ray_qa.cluster.placement import WorkerPlacement
from ray_qa.errors import InputError
from ray_qa.finetuning import workers
from ray_qa.finetuning.config import FinetuneConfig
from ray_qa.finetuning.job import TrainingJob
from ray_qa.finetuning.progress import TrainingProgress
from ray_qa.finetuning.workers import MOST_FAILURES, train_to_the_end
from ray_qa.reader.arithmetic import Arithmetic
from ray_qa.reader.model_files import ModelFiles

PLACEMENT = WorkerPlacement(workers=1, cpus=1.0, gpus=0.0, threads=1, fits=True)
Train = Callable[..., int]


@pytest.fixture
def train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Train:
    """Runs workers that fail so often, on a cluster whose nodes are, before and after each failure, as listed.

    With ``told`` they do not fail, but stop as one of their nodes is to be taken away.
    """

    def run(
        failures: int,
        nodes: list[set[str]],
        error: Exception | None = None,
        checkpoints: Iterator[list[int]] | None = None,
        *,
        told: bool = False,
    ) -> int:
        left, seen = [failures], iter(nodes)

        def fail(*_: object) -> bool:
            if not left[0]:
                return True
            left[0] -= 1
            if told:
                return False
            raise error or RuntimeError("a worker has died")

        monkeypatch.setattr(workers, "_train_once", fail)
        monkeypatch.setattr(workers, "wait_for_room", lambda *_: True)
        monkeypatch.setattr(workers, "nodes_alive", lambda: next(seen))
        monkeypatch.setattr(workers, "checkpoint_steps", lambda _: next(checkpoints) if checkpoints else [])
        config = FinetuneConfig(model="base", train="rows", output=str(tmp_path))
        job = TrainingJob(
            config=config,
            base=ModelFiles(ref="base", folder=tmp_path, weights_sha256="", tokenizer_sha256=""),
            arithmetic=Arithmetic(device="cpu", dtype="float32", batch_tokens=1),
        )
        return train_to_the_end(job, PLACEMENT, TrainingProgress(tmp_path / "beat"))

    return run


def test_workers_that_keep_failing_on_nodes_that_are_there_end_the_run(train: Train) -> None:
    with pytest.raises(RuntimeError, match="a worker has died"):
        train(MOST_FAILURES, [{"a", "b"}] * 2 * MOST_FAILURES)
    assert train(MOST_FAILURES - 1, [{"a", "b"}] * 2 * MOST_FAILURES) == MOST_FAILURES - 1


def test_a_node_that_is_lost_or_taken_back_is_no_failure_of_the_run(train: Train) -> None:
    lost = [{"a", "b"}, {"a"}, {"a", "c"}, {"c"}, {"c", "d"}, {"d"}, {"d", "e"}, {"e"}, {"e"}]
    assert train(4, lost) == 4


def test_workers_that_stop_before_their_node_is_taken_away_have_not_failed(train: Train) -> None:
    assert train(MOST_FAILURES + 2, [{"a", "b"}] * 20, told=True) == MOST_FAILURES + 2


def test_failures_count_from_the_latest_checkpoint(train: Train) -> None:
    steps = iter([[*range(count)] for count in range(100)])
    assert train(MOST_FAILURES + 2, [{"a"}] * 20, checkpoints=steps) == MOST_FAILURES + 2


def test_an_error_of_ours_ends_the_run_at_once(train: Train) -> None:
    with pytest.raises(InputError, match="finite losses"):
        train(1, [{"a"}] * 2, error=InputError("`train` must give finite losses, but"))
