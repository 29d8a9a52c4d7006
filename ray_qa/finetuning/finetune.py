"""Finetune, the whole way: bring the rows into one form, encode them once, train on all workers, sum up."""

from __future__ import annotations

import time
import uuid
from contextlib import closing
from dataclasses import dataclass, replace

from ray_qa.cluster.arithmetic import settle_arithmetic
from ray_qa.cluster.connection import connected, quiet_ray
from ray_qa.data.examples import ExamplesSummary
from ray_qa.data.file_search import check_apart
from ray_qa.errors import ConfigError, InputError, OutputError, Problems, StorageError
from ray_qa.finetuning.base_model import check_base
from ray_qa.finetuning.checkpoints import checkpoint_steps, read_state
from ray_qa.finetuning.config import FinetuneConfig
from ray_qa.finetuning.extension import extended, extension_in_words, with_what_the_run_had
from ray_qa.finetuning.job import TrainingJob
from ray_qa.finetuning.label_counts import LabelCounts
from ray_qa.finetuning.model_card import write_card_and_curve
from ray_qa.finetuning.output import (
    ALGORITHM,
    BEAT,
    MLFLOW_RUN_ID,
    TENSORBOARD,
    TrainingPlan,
    begin_again,
    check_joins,
    check_output,
    clear_output,
    extensions,
    finish,
    join_plan,
    read_plan,
    remove_leftovers,
)
from ray_qa.finetuning.progress import TrainingProgress
from ray_qa.finetuning.rows import encode, survey
from ray_qa.finetuning.summary import FinetuneSummary, describe_labels, read_summary, run_json
from ray_qa.finetuning.tracking.metrics_log import METRICS, read_metrics
from ray_qa.finetuning.tracking.tail import tail_metrics
from ray_qa.finetuning.tracking.trackers import open_trackers
from ray_qa.finetuning.workers import place, train_to_the_end
from ray_qa.reader.arithmetic import Arithmetic
from ray_qa.reader.model_files import ModelFiles, find_model, model_kind
from ray_qa.runs.clock import clocked, time_spent
from ray_qa.runs.live_line import shown
from ray_qa.runs.log import logged, notice
from ray_qa.runs.ownership import claim, output_lock
from ray_qa.runs.submitted_job import check_outlives_job
from ray_qa.settings import AUTO, check_kind, deciding_settings, in_seconds, unsettled
from ray_qa.storage.credentials import use_access
from ray_qa.storage.local import SUCCESS
from ray_qa.storage.places import exists
from ray_qa.storage.remote import Place, is_url


def finetune(config: FinetuneConfig) -> FinetuneSummary:
    """Fine-tune a model; the same call again resumes it, or reports it where it is finished.

    Raises:
        RayQaError: before any worker starts, if the settings, the rows, the model, the output or the cluster cannot be
            used; with all problems that could be found.
    """
    called = time.time()
    check_kind(config, FinetuneConfig)
    check_outlives_job("output", config.output)
    config = config.model_copy(update={"output": str(config.folder)})
    use_access(config.access)
    progress = TrainingProgress(config.folder / BEAT)
    with logged("finetune", config.log_format, quiet=config.quiet), shown(progress.line):
        return _finetune(config, progress, called)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Start:
    """What a command finds as it begins."""

    config: FinetuneConfig
    plan: TrainingPlan
    """What is wanted, with what an extended run has of its own."""
    base: ModelFiles
    finished: bool
    """Whether there is nothing to do."""
    anew: bool
    """Whether what is there is to be cleared away."""
    extends: TrainingPlan | None = None
    """The plan of the finished run that is to grow."""
    grown: TrainingPlan | None = None
    """The same when it has grown."""


def _finetune(config: FinetuneConfig, progress: TrainingProgress, called: float) -> FinetuneSummary:
    folder = config.folder
    start = _look_around(config, folder, progress)
    config = start.config
    if start.finished:
        remove_leftovers(folder)
        return read_summary(folder)
    progress.enter("loading the model to see that it can be trained")
    check_base(start.base, config)
    trackers = open_trackers(
        config.report_to,
        run_name=folder.name,
        parameters=config.model_dump(mode="json"),
        tensorboard=folder / TENSORBOARD,
        mlflow_run_id=folder / MLFLOW_RUN_ID,
    )
    progress.enter("starting Ray")
    with connected(config.ray_address) as cluster, quiet_ray():
        placement = place(config, cluster, progress)
        if placement.gpus:
            progress.enter("waiting for a GPU to ask what it computes in")
        arithmetic = settle_arithmetic(
            kind=model_kind(start.base.folder),
            backend="torch",
            device=AUTO,
            dtype=config.dtype,
            batch_tokens=config.batch_tokens,
            work="training",
            gpus=placement.gpus,
            threads=placement.threads,
            patience=in_seconds(config.wait_for_nodes),
            private=cluster.private,
        )
        with output_lock(folder, "training"):
            plan = _begin(start, arithmetic)
            with clocked(folder, called):
                job = TrainingJob(
                    config=config,
                    base=start.base,
                    threads=None if placement.gpus else placement.threads,
                    arithmetic=arithmetic,
                    owner=uuid.uuid4().hex,
                )
                claim(folder, job.owner)
                counts = encode(job, plan, progress)
                if counts.dropped_rows or counts.dropped_answers or counts.other_unit:
                    notice(*describe_labels(counts))
                progress.update(read_metrics(folder / METRICS))  # of an earlier command
                progress.enter("starting workers")
                with closing(trackers), tail_metrics(folder / METRICS, progress.update, trackers.update):
                    restarts = train_to_the_end(job, placement, progress)
            return _finish(job, plan, counts, restarts)


def _look_around(config: FinetuneConfig, folder: Place, progress: TrainingProgress) -> _Start:
    """Check all that is named, and how it goes with what lies in the output."""
    earlier = None if config.overwrite else read_plan(folder)
    if config.extend and earlier is None:
        raise ConfigError(f"`extend` must be given for a finished run, but there is none in {folder}")
    if earlier is not None and config.extend:
        config = with_what_the_run_had(config, earlier)
    plan, base = _check_what_is_named(config, folder, progress)
    finished = earlier is not None and exists(folder / SUCCESS)
    if earlier is None:
        return _Start(config=config, plan=plan, base=base, finished=False, anew=config.overwrite)
    steps = checkpoint_steps(folder)[-1] if finished and checkpoint_steps(folder) else None
    grown = extended(config, earlier, steps=steps) if config.extend else earlier
    try:
        check_joins(folder, grown, plan, unsettled(config))
    except OutputError:
        if finished or checkpoint_steps(folder):
            raise
        # No step was kept, so there is nothing that other settings could spoil.
        return _Start(config=config, plan=plan, base=base, finished=False, anew=True)
    if grown != earlier:
        return _Start(config=config, plan=plan, base=base, finished=False, anew=False, extends=earlier, grown=grown)
    return _Start(config=config, plan=plan, base=base, finished=finished, anew=False)


def _begin(start: _Start, arithmetic: Arithmetic) -> TrainingPlan:
    """Make the output this run's: cleared if it is to be, its plan grown if it is to be, else joined."""
    folder = start.config.folder
    plan = replace(start.plan, device=arithmetic.device, settings=start.plan.settings | {"dtype": arithmetic.dtype})
    if start.anew:
        clear_output(folder)
    if start.extends is not None and start.grown is not None:
        check_joins(folder, start.grown, plan)
        told = extension_in_words(start.extends, plan)
        notice(told)
        begin_again(folder, plan, told)
    join_plan(folder, plan)
    return plan


def _check_what_is_named(
    config: FinetuneConfig, folder: Place, progress: TrainingProgress
) -> tuple[TrainingPlan, ModelFiles]:
    """Check output, rows and base independently and report all their problems together."""
    known = _known_plan(folder)
    problems = Problems()
    train: ExamplesSummary | None = None
    validation: ExamplesSummary | None = None
    base: ModelFiles | None = None
    with problems.gather():
        check_output(folder)
    progress.enter("reading the rows to train on")
    with problems.gather():
        train = survey(config, "train", known.train if known else None)
    if config.eval is not None:
        progress.enter("reading the rows to judge by")
        with problems.gather():
            validation = survey(config, "eval", known.eval if known else None)
    progress.enter("looking for the model")
    with problems.gather():
        base = find_model(config.model)
        check_apart([base.ref if is_url(base.ref) else str(base.folder)], [], folder, "model")
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


def _known_plan(folder: Place) -> TrainingPlan | None:
    """The plan of an earlier run into the folder, to spare reading again the rows that it tells of."""
    try:
        return read_plan(folder)
    except (OutputError, StorageError):  # said already, of the output as a whole
        return None


def _finish(
    job: TrainingJob,
    plan: TrainingPlan,
    counts: LabelCounts,
    restarts: int,
) -> FinetuneSummary:
    """Write the model card, the learning curve and ``run.json``, then mark the output as finished."""
    folder = job.config.folder
    state = read_state(folder, checkpoint_steps(folder)[-1])
    best, spent = state.best, time_spent(folder)
    summary = FinetuneSummary(
        output=job.config.output,
        steps=state.step,
        exported_step=best.step if best else state.step,
        exact=best.exact if best else None,
        f1=best.f1 if best else None,
        bad_steps=state.bad_steps,
        restarts=restarts,
        teams=state.teams,
        seconds=spent.seconds,
        commands=spent.commands,
        labels=counts,
        extensions=extensions(folder),
        eval_dropped=plan.eval.malformed if plan.eval else {},
    )
    write_card_and_curve(job, plan, summary, read_metrics(folder / METRICS))
    finish(folder, run_json(job.config, plan, summary))
    return summary
