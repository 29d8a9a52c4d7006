"""A run on Ray: connected, placed, settled and streamed, from the plan to the account of its rows."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from ray_qa.annotation.accounting import Clock, finish_run, standing_of, to_retry
from ray_qa.annotation.attempts import forget_attempts
from ray_qa.annotation.calibration import Calibration, calibrated, draw_calibration
from ray_qa.annotation.config import AnnotateConfig
from ray_qa.annotation.engine_used import EngineUsed, Int8, engine_noted, note_engine
from ray_qa.annotation.manifest import CountsKept, KnownPart
from ray_qa.annotation.output import Plan, clear_output, join_plan, plan_digest, remove_drafts
from ray_qa.annotation.pipeline import ONE_UNIT_A_BLOCK, score_units
from ray_qa.annotation.planning import Named, plan_of
from ray_qa.annotation.progress import Progress
from ray_qa.annotation.stages import AnnotateJob, schema_to_read
from ray_qa.annotation.summary import RunSummary
from ray_qa.annotation.timeline import Timeline, TimelineKept
from ray_qa.cluster.arithmetic import settle_arithmetic, why_not_openvino
from ray_qa.cluster.connection import Cluster, connected, quiet_ray
from ray_qa.cluster.growth import can_grow, cannot_fit
from ray_qa.cluster.placement import Placement, place
from ray_qa.cluster.room import wait_for_room
from ray_qa.data.conversion import remove_others
from ray_qa.errors import ClusterError
from ray_qa.reader.arithmetic import Arithmetic
from ray_qa.reader.calibration import SETTING, Decision, decision_by
from ray_qa.reader.model_files import ModelFiles, model_kind
from ray_qa.reader.openvino_conversion import is_converted
from ray_qa.runs.live_line import counted, shown
from ray_qa.runs.log import notice
from ray_qa.runs.output_folder import ROWS
from ray_qa.runs.ownership import OutputLock, claim, output_lock
from ray_qa.runs.part_labels import Counts
from ray_qa.settings import AUTO, in_seconds, unsettled
from ray_qa.storage import places
from ray_qa.storage.local import SUCCESS


def run(config: AnnotateConfig, named: Named, earlier: Plan | None, clock: Clock) -> RunSummary:
    """Do what is left of a plan, and account for every row.

    Args:
        config: the settings.
        named: what they lead to.
        earlier: the plan that the output has, which this run goes on with.
        clock: when the command was called.

    Raises:
        RayQaError: if the cluster has no room, or a worker refuses; what is done is kept.
    """
    folder, inputs, model = config.folder, named.inputs, named.model
    decision = decision_by(named.calibration, config.null_threshold)
    # A file that calibrates need not be on every node, and a node's copy of the model need not have the same.
    for_workers = config.model_copy(update={"null_threshold": decision.null_threshold, SETTING: "none"})
    progress = Progress(rows=named.rows)
    with shown(progress.line), connected(config.ray_address) as cluster, quiet_ray(**ONE_UNIT_A_BLOCK):
        clock.passed("Ray")
        placement = _place(config, cluster, progress)
        clock.passed("room")
        arithmetic = _settle(config, model, cluster, placement, earlier, progress)
        notice(arithmetic.in_words, *([] if named.calibration is None else [_calibration_in_words(named, decision)]))
        clock.passed("the engine")
        drawn = None
        if arithmetic.dtype == "int8":
            drawn = draw_calibration(config, named.inputs, named.apart, named.questions)
        int8 = None if drawn is None else _int8(for_workers, named.model, drawn, placement, earlier, progress)
        if drawn is not None:
            clock.passed("calibration")
        with output_lock(folder, "annotating", may_share=not config.overwrite) as lock:
            basis = replace(earlier or plan_of(config, named, placement.most), int8=int8.form if int8 else None)
            plan = _begin(config, basis, arithmetic, lock)
            note_engine(folder, EngineUsed(arithmetic=arithmetic.in_words, int8=int8))
            standing = standing_of(folder, plan)
            again = to_retry(config, plan, standing)
            done = {unit: counts for unit, counts in standing.counts.items() if unit not in again}
            progress.go_on_from(sum(done.values(), start=Counts()), len(done), of=len(plan.units))
            left = [unit for unit in plan.units if unit.number not in done]
            job = AnnotateJob(
                config=for_workers,
                decision=decision,
                model=model,
                schema=schema_to_read(inputs.schema, config.columns(named.questions)),
                questions=named.questions,
                arithmetic=arithmetic,
                calibration=drawn.rows if drawn else (),
                int8=int8,
                threads=placement.threads,
                again=again,
                plan=plan_digest(plan),
            )
            clock.passed("the plan")
            kept = CountsKept(folder=folder, plan=job.plan)
            timeline = TimelineKept(folder=folder, timeline=Timeline(began=clock.called))
            try:
                for unit_summary in score_units(job, left, inputs.sources, placement):
                    clock.note(unit_summary)
                    progress.add(unit_summary)
                    timeline.add(unit_summary)
                    kept.add(unit_summary.unit, KnownPart(version=unit_summary.version, counts=unit_summary.counts))
            finally:
                kept.publish()
                timeline.publish()
            if lock.is_the_last():
                remove_drafts(folder)
                remove_others(folder / ROWS, {file.path for file in plan.input})
            scored = plan.asked * sum(unit.rows for unit in left)
            return finish_run(config, named.calibration, plan, standing_of(folder, plan), scored, clock)


def _calibration_in_words(named: Named, decision: Decision) -> str:
    assert named.calibration is not None
    return (
        f"confidence is calibrated (on {counted(named.calibration.fitted_on.rows, 'row')}), and rows have no answer "
        f"above null threshold {decision.null_threshold:.4g}"
    )


def _settle(
    config: AnnotateConfig,
    model: ModelFiles,
    cluster: Cluster,
    placement: Placement,
    earlier: Plan | None,
    progress: Progress,
) -> Arithmetic:
    """How all replicas are to compute; batches are any machine's to choose, so a run that goes on keeps its plan's.

    An engine that is ours to choose is tried before the plan names it: it is torch where the model cannot be converted.
    """
    batch_tokens = config.batch_tokens
    if earlier is not None and "batch_tokens" in unsettled(config):
        batch_tokens = earlier.settings["batch_tokens"]
    settle = partial(
        settle_arithmetic,
        kind=model_kind(model.folder),
        device=config.runs_on,
        dtype=config.dtype,
        batch_tokens=batch_tokens,
        work="reading",
        gpus=placement.gpus,
        threads=placement.threads,
        patience=in_seconds(config.wait_for_nodes),
        private=cluster.private,
        cpus=placement.reserved_cpus,
    )
    arithmetic = settle(backend=config.backend)
    if config.backend != AUTO or config.dtype == "int8" or arithmetic.backend != "openvino" or earlier is not None:
        return arithmetic
    if not is_converted(model):
        progress.enter("converting the model")
    against = why_not_openvino(
        model, config.access, cpus=placement.reserved_cpus, patience=in_seconds(config.wait_for_nodes)
    )
    return arithmetic if against is None else replace(settle(backend="torch"), why=against)


def _int8(
    config: AnnotateConfig,
    model: ModelFiles,
    drawn: Calibration,
    placement: Placement,
    earlier: Plan | None,
    progress: Progress,
) -> Int8:
    """See what int8 makes of the answers before a row is written; for a run that goes on that is known."""
    noted = None if earlier is None else engine_noted(config.folder)
    if noted is not None and noted.int8 is not None:
        return noted.int8
    progress.enter("calibrating int8, and comparing its answers with those of float32")
    int8 = calibrated(config, model, drawn, placement)
    notice(int8.in_words)
    progress.enter("starting replicas and loading the model")
    return int8


def _begin(config: AnnotateConfig, basis: Plan, arithmetic: Arithmetic, lock: OutputLock) -> Plan:
    """Make the output this run's, cleared if it is to be, with a plan that says all; then equal commands may join.

    ``basis`` is the plan that the folder has, or the wanted one: equal, but for what was left to be settled.
    """
    folder = config.folder
    if config.overwrite:
        clear_output(folder)
    plan = join_plan(folder, replace(basis, settings=basis.settings | arithmetic.settings))
    claim(folder, plan_digest(plan))
    if lock.alone:
        forget_attempts(folder)
    if config.retry_failed:
        places.delete([folder / SUCCESS])
    lock.share()
    return plan


def _place(config: AnnotateConfig, cluster: Cluster, progress: Progress) -> Placement:
    """Size the pool, and wait until there is room for its first replica where the cluster may have to grow for it."""
    progress.enter("seeing what there is room for")
    placement = place(
        cluster.nodes,
        replicas=config.replicas,
        cpus_per_replica=config.cpus_per_replica,
        gpus_per_replica=config.gpus_per_replica,
        device=config.runs_on,
        can_grow=lambda: can_grow(cluster),
    )
    if not placement.fits:
        each = f"{placement.cpus:g} CPUs and {placement.gpus:g} GPUs"
        raise cannot_fit(cluster, "replicas", f"{placement.fewest} are asked for, each with {each}")
    each = f"{placement.reserved_cpus:g} CPUs and {placement.gpus:g} GPUs"
    progress.enter(f"waiting for room for a replica with {each}")
    bundle = {"CPU": placement.reserved_cpus} | ({"GPU": placement.gpus} if placement.gpus else {})
    if not cluster.private and not wait_for_room([bundle], in_seconds(config.wait_for_nodes)):
        raise ClusterError(
            f"`replicas` must find room within {config.wait_for_nodes} (`wait_for_nodes`), but there is none for one "
            f"with {each}; ask for less, or add nodes"
        )
    progress.enter("starting replicas and loading the model")
    return placement
