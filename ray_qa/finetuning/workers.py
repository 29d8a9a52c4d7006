"""The workers on Ray Train: where they go, what they run, and starting them again when one is lost."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer

from ray_qa.cluster.connection import Cluster
from ray_qa.cluster.growth import can_grow, cannot_fit
from ray_qa.cluster.placement import WorkerPlacement, place_workers
from ray_qa.cluster.room import wait_for_room
from ray_qa.cluster.worker import nodes_alive, nodes_that_leave
from ray_qa.cluster.worker_errors import error_from_worker
from ray_qa.errors import ClusterError, StorageError
from ray_qa.finetuning.checkpoints import checkpoint_steps
from ray_qa.finetuning.config import FinetuneConfig
from ray_qa.finetuning.job import TrainingJob
from ray_qa.finetuning.loop import NodeLeavesError, train
from ray_qa.finetuning.output import RAY_TRAIN
from ray_qa.finetuning.progress import TrainingProgress
from ray_qa.settings import in_seconds
from ray_qa.storage.remote import Place

MOST_FAILURES = 3
"""Workers that have failed this often without a new checkpoint in between ends the run."""


def place(config: FinetuneConfig, cluster: Cluster, progress: TrainingProgress) -> WorkerPlacement:
    """Say how many workers there are and what each has, and wait until there is room for them.

    Raises:
        ClusterError: if there is none.
    """
    progress.enter("seeing what there is room for")
    placement = place_workers(
        cluster.nodes,
        workers=config.workers,
        cpus_per_worker=config.cpus_per_worker,
        gpus_per_worker=config.gpus_per_worker,
    )
    asked = f"{placement.workers} are asked for, each with {placement.cpus:g} CPUs and {placement.gpus:g} GPUs"
    if not placement.fits and not can_grow(cluster):
        raise cannot_fit(cluster, "workers", asked)
    if not cluster.private:
        _wait_for_room(config, placement, progress)
    return placement


def train_to_the_end(job: TrainingJob, placement: WorkerPlacement, progress: TrainingProgress) -> int:
    """Run the workers until the last step is done; gives how often they had to be started again."""
    folder = job.config.folder
    restarts = failures = 0
    with _rays_own_folder(folder) as rays_own:
        while True:
            before, nodes = checkpoint_steps(folder), nodes_alive()
            failure, why = None, "as a node is taken away"
            try:
                if _train_once(job, placement, rays_own):
                    return restarts
            except Exception as error:
                ours = error_from_worker(error)
                if ours is not None and not isinstance(ours, StorageError):  # a store may be back in a while
                    raise ours from None
                failure = ours or error
                if not nodes & nodes_that_leave():
                    why = "as one was lost"
            _wait_for_room(job.config, placement, progress, f", {why}")
            if failure and nodes <= nodes_alive():  # a node that was lost, or taken back, is no failure of the run's
                failures = failures + 1 if checkpoint_steps(folder) == before else 1
                if failures >= MOST_FAILURES:
                    raise failure
            restarts += 1
            progress.enter(f"starting workers again, {why}")


@contextmanager
def _rays_own_folder(output: Place) -> Iterator[Path]:
    """Where Ray Train keeps its state, which we never use: checkpoints are ours."""
    if isinstance(output, Path):
        yield output / RAY_TRAIN
    else:
        with TemporaryDirectory(prefix="ray_qa-") as folder:
            yield Path(folder)


def _train_once(job: TrainingJob, placement: WorkerPlacement, rays_own: Path) -> bool:
    """Whether the workers came to the end of the run."""
    # Our loop looks itself for nodes that are to be taken away; Ray Train's watcher would be a process more.
    os.environ.setdefault("RAY_TRAIN_ENABLE_PREEMPTION_WATCHER", "0")
    trainer = TorchTrainer(
        _train_worker,  # type: ignore[arg-type]  # Ray shows type checkers the classes of its version 1
        train_loop_config={"job": job},
        scaling_config=ScalingConfig(
            num_workers=placement.workers,
            use_gpu=placement.gpus > 0,
            resources_per_worker=_resources(placement),
        ),
        run_config=RunConfig(
            name="run",
            storage_path=str(rays_own),
            failure_config=FailureConfig(
                max_failures=0,
                max_preemption_failures=0,  # type: ignore[call-arg]  # of version 1 too
            ),
        ),
    )
    # Its own handler of Ctrl-C would end the process in its own way, and stay when the run has ended.
    trainer._register_sigint_handler = lambda controller: None  # type: ignore[attr-defined]  # noqa: ARG005  # Ray's own
    at_end: bool = trainer.fit().return_value  # type: ignore[attr-defined]  # of version 1 too
    return at_end


def _train_worker(loop_config: dict[str, TrainingJob]) -> bool:
    """What every worker runs, and whether it came to the end; Ray Train has made the process group."""
    try:
        train(loop_config["job"])
    except NodeLeavesError:
        return False
    return True


def _wait_for_room(
    config: FinetuneConfig, placement: WorkerPlacement, progress: TrainingProgress, why: str = ""
) -> None:
    """Wait until all workers can run at once; a cluster may have to bring up nodes for them.

    Raises:
        ClusterError: if they cannot within ``wait_for_nodes``.
    """
    each = f"{placement.cpus:g} CPUs and {placement.gpus:g} GPUs"
    progress.enter(f"waiting for room for {placement.workers} workers with {each} each{why}")
    if not wait_for_room([_resources(placement)] * placement.workers, in_seconds(config.wait_for_nodes)):
        raise ClusterError(
            f"`workers` must find room within {config.wait_for_nodes} (`wait_for_nodes`), but there is none for "
            f"{placement.workers} with {each} each{why}; ask for less, or add nodes and run the same command again"
        )


def _resources(placement: WorkerPlacement) -> dict[str, float]:
    return {"CPU": placement.cpus} | ({"GPU": placement.gpus} if placement.gpus else {})
