"""Finetune, the whole way: bring the rows into one form, encode them once, train on all workers, sum up."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import ray
import ray.train
from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer

from ray_qa.cluster.arithmetic import settle_arithmetic
from ray_qa.cluster.connection import Cluster, connected, quiet_ray
from ray_qa.cluster.growth import can_grow, cannot_fit
from ray_qa.cluster.placement import READ_CPUS, WorkerPlacement, place_workers
from ray_qa.cluster.room import wait_for_room
from ray_qa.cluster.worker import nodes_alive
from ray_qa.cluster.worker_errors import error_from_worker
from ray_qa.data.examples import (
    ExamplesSummary,
    Setting,
    example_files,
    is_data_set,
    survey_examples,
    write_examples,
)
from ray_qa.data.parquet_files import check_apart
from ray_qa.errors import ClusterError, InputError, OutputError, Problems
from ray_qa.finetuning.base_model import check_base
from ray_qa.finetuning.checkpoints import checkpoint_steps, read_state
from ray_qa.finetuning.config import FinetuneConfig
from ray_qa.finetuning.dataset import LabelCounts, shard_counts
from ray_qa.finetuning.job import TrainingJob, encode_shards
from ray_qa.finetuning.loop import train
from ray_qa.finetuning.output import (
    ALGORITHM,
    EVAL_ROWS,
    MLFLOW_RUN_ID,
    RAY_TRAIN,
    SHARDS,
    TENSORBOARD,
    TRAIN_ROWS,
    TrainingPlan,
    check_joins,
    check_output,
    clear_output,
    finish,
    join_plan,
    read_plan,
    remove_leftovers,
    shard_path,
    shard_paths,
)
from ray_qa.finetuning.progress import TrainingProgress
from ray_qa.finetuning.summary import FinetuneSummary, in_words, read_summary, run_json, write_card_and_curve
from ray_qa.finetuning.tracking.metrics_log import METRICS, read_metrics
from ray_qa.finetuning.tracking.tail import tail_metrics
from ray_qa.finetuning.tracking.trackers import open_trackers
from ray_qa.reader.model_files import ModelFiles, find_model
from ray_qa.runs.live_line import shown
from ray_qa.runs.ownership import claim, output_lock
from ray_qa.runs.submitted_job import check_outlives_job
from ray_qa.settings import AUTO, deciding_settings, in_seconds, unsettled
from ray_qa.storage.local import SUCCESS

MOST_FAILURES = 3
"""Workers that have failed this often without a new checkpoint in between ends the run."""


def finetune(config: FinetuneConfig) -> FinetuneSummary:
    """Fine-tune a model; the same call again resumes it, or reports it where it is finished.

    Raises:
        RayQaError: before any worker starts, if the settings, the rows, the model, the output or the cluster cannot be
            used; with all problems that could be found.
    """
    called = time.time()
    check_outlives_job("output", config.output)
    config = config.model_copy(update={"output": str(Path(config.output).expanduser().resolve())})
    folder = Path(config.output)
    plan, base = _check_what_is_named(config, folder)
    anew = config.overwrite
    earlier = None if anew else read_plan(folder)
    if earlier is not None:
        try:
            check_joins(folder, earlier, plan, unsettled(config))
        except OutputError:
            if (folder / SUCCESS).exists() or checkpoint_steps(folder):
                raise
            anew = True  # no step was kept, so there is nothing that other settings could spoil
        if (folder / SUCCESS).exists():
            remove_leftovers(folder)
            return read_summary(folder)
    check_base(base, config)
    trackers = open_trackers(
        config.report_to,
        run_name=folder.name,
        parameters=config.model_dump(mode="json"),
        tensorboard=folder / TENSORBOARD,
        mlflow_run_id=folder / MLFLOW_RUN_ID,
    )
    progress = TrainingProgress()
    with shown(progress.line), connected(config.ray_address) as cluster, quiet_ray():
        placement = _place(config, cluster, progress)
        arithmetic = settle_arithmetic(
            device=AUTO,
            dtype=config.dtype,
            batch_tokens=config.batch_tokens,
            work="training",
            gpus=placement.gpus,
            threads=placement.threads,
            patience=in_seconds(config.wait_for_nodes),
        )
        with output_lock(folder, "training"):
            if anew:
                clear_output(folder)
            plan = replace(plan, device=arithmetic.device, settings=plan.settings | {"dtype": arithmetic.dtype})
            join_plan(folder, plan)
            owner = uuid.uuid4().hex
            claim(folder, owner)
            job = TrainingJob(
                config=config,
                base=base,
                threads=None if placement.gpus else placement.threads,
                arithmetic=arithmetic,
                owner=owner,
            )
            progress.enter("reading and encoding the rows")
            counts = _encode(job, plan)
            progress.update(read_metrics(folder / METRICS))  # of an earlier command
            progress.enter("starting workers")
            with closing(trackers), tail_metrics(folder / METRICS, progress.update, trackers.update):
                restarts = _train_to_the_end(job, placement, progress)
            return _finish(config, plan, counts, restarts, called)


def _check_what_is_named(config: FinetuneConfig, folder: Path) -> tuple[TrainingPlan, ModelFiles]:
    """Check output, rows and base independently and report all their problems together."""
    problems = Problems()
    train: ExamplesSummary | None = None
    validation: ExamplesSummary | None = None
    base: ModelFiles | None = None
    with problems.gather():
        check_output(folder)
    with problems.gather():
        train = _survey(config.train, "train", folder)
    if config.eval is not None:
        with problems.gather():
            validation = _survey([config.eval], "eval", folder)
    with problems.gather():
        base = find_model(config.model)
        check_apart([str(base.folder)], [], folder, "model")
    problems.stop_here_if_any(InputError)
    assert train is not None
    assert base is not None
    plan = TrainingPlan(
        algorithm=ALGORITHM,
        settings=deciding_settings(config),
        device=None,
        weights_sha256=base.weights_sha256,
        tokenizer_sha256=base.tokenizer_sha256,
        train=train,
        eval=validation,
    )
    return plan, base


def _survey(sources: Sequence[str], setting: Setting, folder: Path) -> ExamplesSummary:
    for source in sources:
        if not is_data_set(source):
            check_outlives_job(setting, source)
    check_apart(example_files(sources, setting), sources, folder, setting)
    return survey_examples(sources, setting)


def _place(config: FinetuneConfig, cluster: Cluster, progress: TrainingProgress) -> WorkerPlacement:
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


def _encode(job: TrainingJob, plan: TrainingPlan) -> LabelCounts:
    """Write the rows down in one form and encode them, by tasks all over the cluster; what is there already stays."""
    folder = Path(job.config.output)
    if not (folder / TRAIN_ROWS).exists():
        write_examples(job.config.train, "train", folder / TRAIN_ROWS, plan.train)
    if job.config.eval is not None and plan.eval is not None and not (folder / EVAL_ROWS).exists():
        write_examples([job.config.eval], "eval", folder / EVAL_ROWS, plan.eval)
    (folder / SHARDS).mkdir(exist_ok=True)
    count = pq.read_metadata(folder / TRAIN_ROWS).num_row_groups
    missing = [number for number in range(count) if not shard_path(folder, number).exists()]
    if missing:
        blocks = [pa.table({"shard": [number]}) for number in missing]
        encoded = ray.data.from_arrow(blocks).map_batches(
            encode_shards,  # type: ignore[arg-type]  # Ray's UDF type knows no generators of Arrow tables
            batch_size=None,
            batch_format="pyarrow",
            fn_kwargs={"job": job},
            num_cpus=READ_CPUS,
        )
        try:
            encoded.materialize()
        except Exception as error:
            raise error_from_worker(error) or error from None
    counts = sum((shard_counts(path) for path in shard_paths(folder)), start=LabelCounts())
    if not counts.answerable:
        raise InputError(
            f"`train` must have rows with an answer that lies in its context, but none of {counts.rows:,} has one "
            f"(dropped: {in_words(counts.dropped_answers or counts.dropped_rows)})"
        )
    return counts


def _train_to_the_end(job: TrainingJob, placement: WorkerPlacement, progress: TrainingProgress) -> int:
    """Run the workers until the last step is done; gives how often they had to be started again."""
    folder = Path(job.config.output)
    restarts = failures = 0
    while True:
        before, nodes = checkpoint_steps(folder), nodes_alive()
        try:
            _train_once(job, placement, folder)
            return restarts
        except Exception as error:
            if ours := error_from_worker(error):
                raise ours from None
            failure = error
        _wait_for_room(job.config, placement, progress, ", as one was lost")
        if nodes <= nodes_alive():  # a node that was lost, or taken back, is no failure of the run's
            failures = failures + 1 if checkpoint_steps(folder) == before else 1
        if failures >= MOST_FAILURES:
            raise failure
        restarts += 1
        progress.enter("starting workers again, as one was lost")


def _train_once(job: TrainingJob, placement: WorkerPlacement, folder: Path) -> None:
    trainer = TorchTrainer(
        _train_worker,
        train_loop_config={"job": job},
        scaling_config=ScalingConfig(
            num_workers=placement.workers,
            use_gpu=placement.gpus > 0,
            resources_per_worker=_resources(placement),
        ),
        run_config=RunConfig(
            name="run",
            storage_path=str(folder / RAY_TRAIN),
            failure_config=FailureConfig(
                max_failures=0,
                max_preemption_failures=0,  # type: ignore[call-arg]  # Ray shows type checkers the class of its version 1
            ),
        ),
    )
    # Its own handler of Ctrl-C would end the process in its own way, and stay when the run has ended.
    trainer._register_sigint_handler = lambda controller: None  # type: ignore[attr-defined]  # noqa: ARG005  # Ray's own
    trainer.fit()


def _train_worker(loop_config: dict[str, TrainingJob]) -> None:
    """What every worker runs; Ray Train has made the process group."""
    train(loop_config["job"])


def _finish(
    config: FinetuneConfig,
    plan: TrainingPlan,
    counts: LabelCounts,
    restarts: int,
    called: float,
) -> FinetuneSummary:
    """Write the model card, the learning curve and ``run.json``, then mark the output as finished."""
    folder = Path(config.output)
    state = read_state(folder, checkpoint_steps(folder)[-1])
    best = state.best
    summary = FinetuneSummary(
        output=config.output,
        steps=state.step,
        exported_step=best.step if best else state.step,
        exact=best.exact if best else None,
        f1=best.f1 if best else None,
        bad_steps=state.bad_steps,
        restarts=restarts,
        teams=state.teams,
        seconds=time.time() - called,
        labels=counts,
    )
    write_card_and_curve(folder, config, plan, summary, read_metrics(folder / METRICS))
    finish(folder, run_json(config, plan, summary))
    return summary
