"""Annotate, the whole way: what is asked for is checked and planned, and what is not done yet is run on Ray."""

from __future__ import annotations

import time
from collections.abc import Mapping

import pyarrow as pa

from ray_qa.annotation.accounting import Clock, finish_run, has_every_part, is_whole, standing_of, to_retry
from ray_qa.annotation.card import write_card
from ray_qa.annotation.config import AnnotateConfig
from ray_qa.annotation.output import Plan, check_joins, plan_digest, read_plan
from ray_qa.annotation.planning import Named, check_what_is_named, plan_of
from ray_qa.annotation.report import report_on
from ray_qa.annotation.summary import RunSummary, read_summary
from ray_qa.data.frames import Frame, as_table
from ray_qa.data.parquet_files import MOST_NAMED
from ray_qa.errors import ConfigError, listed
from ray_qa.reader.model_check import check_model
from ray_qa.runs.live_line import counted
from ray_qa.runs.log import logged, notice
from ray_qa.runs.output_folder import RUN
from ray_qa.runs.ownership import check_claim, output_lock
from ray_qa.runs.submitted_job import check_outlives_job
from ray_qa.settings import check_kind, unsettled
from ray_qa.storage import places
from ray_qa.storage.credentials import use_access
from ray_qa.storage.local import SUCCESS

NO_FRAMES: Mapping[str, Frame] = {}


def annotate(config: AnnotateConfig, tables: Mapping[str, Frame] = NO_FRAMES) -> RunSummary:
    """Annotate a corpus; the same call again resumes it, or reports it where it is finished.

    Args:
        config: the settings.
        tables: tables of Arrow, pandas, polars or ``datasets``, by the names under which ``input`` has them. They are
            written to Parquet once, into the output, and known by their values from then on.

    Raises:
        RayQaError: before any work, if the settings, the input, the model or the output cannot be used; with all
            problems that could be found.
    """
    clock = Clock(called=time.time())
    check_kind(config, AnnotateConfig)
    with logged("annotate", config.log_format, quiet=config.quiet):
        summary = _annotate(config, tables, clock)
        if config.report:
            report_on(config)
        return summary


def _annotate(config: AnnotateConfig, tables: Mapping[str, Frame], clock: Clock) -> RunSummary:
    check_outlives_job("output", config.output)
    folder = config.folder
    config = config.model_copy(update={"output": str(folder)})
    use_access(config.access)
    named = check_what_is_named(config, folder, _as_arrow(tables, config))
    if named.inputs.passed_over:
        notice(f"`input` passes over {listed(named.inputs.passed_over, 3)}")
    if left_out := named.inputs.left_out:
        notice(*left_out[:MOST_NAMED], f"`skip_bad_files` leaves out {counted(len(left_out), 'file')}")
    earlier = None if config.overwrite else read_plan(folder)
    if earlier is not None:
        check_joins(folder, earlier, plan_of(config, named), unsettled(config))
        if (done := _already_done(config, named, earlier, clock)) is not None:
            return done
    check_model(named.model, config)
    clock.passed("checks")

    from ray_qa.annotation.running import run  # Ray takes seconds to import, and has no part in what was refused

    return run(config, named, earlier, clock)


def _as_arrow(tables: Mapping[str, Frame], config: AnnotateConfig) -> dict[str, pa.Table]:
    if unnamed := [name for name in tables if name not in config.input]:
        raise ConfigError(f"`input` must name every one of the `tables`, but does not name {unnamed[0]!r}")
    return {name: as_table(table, "tables") for name, table in tables.items()}


def _already_done(config: AnnotateConfig, named: Named, plan: Plan, clock: Clock) -> RunSummary | None:
    """The summary of an output that earlier runs have finished, or have left with nothing to do but to be finished."""
    folder, versions = config.folder, named.versions
    is_finished = places.exists(folder / SUCCESS) and is_whole(folder, plan, versions, config.verify)
    if is_finished and not config.retry_failed:
        return _told_again(config, plan)
    if not has_every_part(plan, versions):
        return None
    standing = standing_of(folder, plan, versions)
    if not standing.is_all_of(plan) or to_retry(config, plan, standing):
        return None
    if is_finished:
        return _told_again(config, plan)
    with output_lock(folder, "annotating", may_share=True):
        check_claim(folder, plan_digest(plan))
        return finish_run(config, named.calibration, plan, standing, 0, clock)


def _told_again(config: AnnotateConfig, plan: Plan) -> RunSummary:
    if config.profile:
        notice(f"there is nothing to profile, as nothing is done; the run's own is in {config.folder / RUN}")
    summary = read_summary(config.folder, config.max_failed)
    if config.card:
        write_card(config, plan, summary.counts)
    return summary
