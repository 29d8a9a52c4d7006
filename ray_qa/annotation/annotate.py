"""Annotate, the whole way: plan units, stream them through encoding tasks and replicas, account for every row."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from pathlib import Path

from ray_qa.annotation.calibration import (
    NO_CALIBRATION,
    Calibration,
    calibrated,
    draw_calibration,
)
from ray_qa.annotation.config import AnnotateConfig
from ray_qa.annotation.output import (
    Plan,
    check_joins,
    clear_output,
    fingerprints,
    finish,
    forget_attempts,
    join_plan,
    plan_digest,
    read_plan,
    remove_drafts,
)
from ray_qa.annotation.parts import read_parts, remove_strays, units_to_retry
from ray_qa.annotation.pipeline import ONE_UNIT_A_BLOCK, score_units
from ray_qa.annotation.planning import Named, check_what_is_named, plan_of
from ray_qa.annotation.progress import Progress
from ray_qa.annotation.stages import AnnotateJob, schema_to_read
from ray_qa.annotation.summary import Counts, Engine, RunSummary, UnitSummary, exit_code, read_summary, run_json
from ray_qa.cluster.arithmetic import settle_arithmetic
from ray_qa.cluster.connection import Cluster, connected, quiet_ray
from ray_qa.cluster.growth import can_grow, cannot_fit
from ray_qa.cluster.placement import Placement, place
from ray_qa.cluster.room import wait_for_room
from ray_qa.data.parts import part_numbers, part_path
from ray_qa.errors import ClusterError, OutputError, listed
from ray_qa.reader.arithmetic import Arithmetic
from ray_qa.reader.model_check import check_model
from ray_qa.reader.model_files import ModelFiles, model_kind
from ray_qa.runs.live_line import shown, tell
from ray_qa.runs.ownership import OutputLock, claim, output_lock
from ray_qa.runs.submitted_job import check_outlives_job
from ray_qa.settings import check_kind, in_seconds, unsettled
from ray_qa.storage.local import SUCCESS


@dataclass(slots=True)
class _Clock:
    """When things happened, in seconds since the epoch."""

    called: float
    first_start: float = math.inf
    last_part: float = -math.inf

    def note(self, summary: UnitSummary) -> None:
        self.first_start = min(self.first_start, summary.started)
        self.last_part = max(self.last_part, summary.published)

    @property
    def start_seconds(self) -> float:
        return self.first_start - self.called if self.first_start < math.inf else 0.0

    @property
    def run_seconds(self) -> float:
        return max(0.0, self.last_part - self.first_start) if self.first_start < math.inf else 0.0


def annotate(config: AnnotateConfig) -> RunSummary:
    """Annotate a corpus; the same call again resumes it, or reports it where it is finished.

    Raises:
        RayQaError: before any work, if the settings, the input, the model or the output cannot be used; with all
            problems that could be found.
    """
    clock = _Clock(called=time.time())
    check_kind(config, AnnotateConfig)
    check_outlives_job("output", config.output)
    config = config.model_copy(update={"output": str(Path(config.output).expanduser().resolve())})
    folder = Path(config.output)
    named = check_what_is_named(config, folder)
    inputs, model = named.inputs, named.model
    if inputs.passed_over:
        tell("annotate", f"`input` passes over {listed(inputs.passed_over, 3)}")
    wanted = plan_of(config, named)
    earlier = None if config.overwrite else read_plan(folder)
    if earlier is not None:
        check_joins(folder, earlier, wanted, unsettled(config))
        if (folder / SUCCESS).exists() and _is_whole(folder, earlier, config.verify) and not _to_retry(config, earlier):
            return read_summary(folder, config.max_failed)
        if _only_wants_finishing(folder, earlier) and not _to_retry(config, earlier):
            with output_lock(folder, "annotating", may_share=True):
                return _finish(config, earlier, 0, clock)
    check_model(model, config)

    progress = Progress(rows=inputs.rows, units=len(wanted.units))
    with shown(progress.line), connected(config.ray_address) as cluster, quiet_ray(**ONE_UNIT_A_BLOCK):
        placement = _place(config, cluster, progress)
        arithmetic = _settle(config, model, cluster, placement, earlier)
        tell("annotate", arithmetic.in_words)
        calibration = _calibrate(config, named, arithmetic, placement, progress)
        with output_lock(folder, "annotating", may_share=not config.overwrite) as lock:
            plan = _begin(config, earlier or wanted, arithmetic, lock)
            again = _to_retry(config, plan)
            done = {unit: counts for unit, counts in _finished(folder, plan).items() if unit not in again}
            progress.go_on_from(sum(done.values(), start=Counts()), len(done))
            job = AnnotateJob(
                config=config,
                model=model,
                sources=inputs.sources,
                schema=schema_to_read(inputs.schema, config),
                units=tuple(unit for unit in plan.units if unit.number not in done),
                arithmetic=arithmetic,
                calibration=calibration.rows,
                threads=placement.threads,
                again=again,
                plan=plan_digest(plan),
            )
            for unit_summary in score_units(job, placement):
                clock.note(unit_summary)
                progress.add(unit_summary)
            if lock.is_the_last():
                remove_drafts(folder)
            done_with = Engine(arithmetic=arithmetic.in_words, int8_agreement=calibration.agreement)
            return _finish(config, plan, sum(unit.rows for unit in job.units), clock, done_with)


def _is_whole(folder: Path, plan: Plan, verify: bool) -> bool:
    """Whether a finished output still has all its parts; where it has not, it is finished no more."""
    there = part_numbers(folder)
    if verify and there >= {unit.number for unit in plan.units}:
        there = set(_finished(folder, plan))
    missing = [unit.number for unit in plan.units if unit.number not in there]
    if missing:
        (folder / SUCCESS).unlink()
        tell(
            "annotate",
            f"{folder} has lost {len(missing):,} of its {len(plan.units):,} parts "
            f"({part_path(folder, missing[0]).name}{' …' if len(missing) > 1 else ''}); they are made again",
        )
    return not missing


def _only_wants_finishing(folder: Path, plan: Plan) -> bool:
    """Whether a run was cut off between its last part and its end."""
    units = {unit.number for unit in plan.units}
    return part_numbers(folder) >= units and _finished(folder, plan).keys() == units


def _to_retry(config: AnnotateConfig, plan: Plan) -> frozenset[int]:
    """The finished units that are to be scored once more."""
    folder = Path(config.output)
    if not config.retry_failed:
        return frozenset()
    return units_to_retry(folder, _finished(folder, plan), f"{config.prefix}reason")


def _finished(folder: Path, plan: Plan) -> dict[int, Counts]:
    """The counts of the units whose parts are there and were made by this plan."""
    there = part_numbers(folder)
    return read_parts(folder, [unit for unit in plan.units if unit.number in there], plan_digest(plan))


def _settle(
    config: AnnotateConfig, model: ModelFiles, cluster: Cluster, placement: Placement, earlier: Plan | None
) -> Arithmetic:
    """How all replicas are to compute; batches are any machine's to choose, so a run that goes on keeps its plan's."""
    batch_tokens = config.batch_tokens
    if earlier is not None and "batch_tokens" in unsettled(config):
        batch_tokens = earlier.settings["batch_tokens"]
    return settle_arithmetic(
        kind=model_kind(model.folder),
        backend=config.backend,
        device=config.runs_on,
        dtype=config.dtype,
        batch_tokens=batch_tokens,
        work="reading",
        gpus=placement.gpus,
        threads=placement.threads,
        patience=in_seconds(config.wait_for_nodes),
        private=cluster.private,
    )


def _calibrate(
    config: AnnotateConfig, named: Named, arithmetic: Arithmetic, placement: Placement, progress: Progress
) -> Calibration:
    """For int8, see what it makes of the answers before a row is written."""
    if arithmetic.dtype != "int8":
        return NO_CALIBRATION
    progress.enter("calibrating int8, and comparing its answers with those of float32")
    calibration = calibrated(config, named.model, draw_calibration(config, named.inputs, named.apart), placement)
    tell("annotate", calibration.in_words)
    progress.enter("starting replicas and loading the model")
    return calibration


def _begin(config: AnnotateConfig, basis: Plan, arithmetic: Arithmetic, lock: OutputLock) -> Plan:
    """Make the output this run's, cleared if it is to be, with a plan that says all; then equal commands may join.

    ``basis`` is the plan that the folder has, or the wanted one: equal, but for what was left to be settled.
    """
    folder = Path(config.output)
    if config.overwrite:
        clear_output(folder)
    plan = join_plan(folder, replace(basis, settings=basis.settings | arithmetic.settings))
    claim(folder, plan_digest(plan))
    if lock.alone:
        forget_attempts(folder)
    if config.retry_failed:
        (folder / SUCCESS).unlink(missing_ok=True)
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


def _finish(
    config: AnnotateConfig, plan: Plan, scored_rows: int, clock: _Clock, engine: Engine | None = None
) -> RunSummary:
    """Account for every row from the parts themselves, then mark the output as finished."""
    folder = Path(config.output)
    remove_strays(folder, part_numbers(folder) - {unit.number for unit in plan.units}, plan_digest(plan))
    finished = _finished(folder, plan)
    if missing := [unit.number for unit in plan.units if unit.number not in finished]:
        raise OutputError(
            f"`output` must have a part of this run for every unit, but {part_path(folder, missing[0])} is missing or "
            "another run's; run the same command again"
        )
    counts = sum(finished.values(), start=Counts())
    summary = RunSummary(
        output=str(folder),
        counts=counts,
        units=len(plan.units),
        scored_rows=scored_rows,
        start_seconds=clock.start_seconds,
        run_seconds=clock.run_seconds,
        exit_code=exit_code(counts, config.max_failed),
    )
    finish(folder, run_json(config, fingerprints(plan), summary, engine))
    return summary
