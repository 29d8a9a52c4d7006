"""Rescore, the whole way: what is asked for becomes a rule, and every part of the input is written again by it."""

from __future__ import annotations

import logging
import time

from ray_qa.errors import InputError, Problems
from ray_qa.rescoring.chosen import choose, rule_of
from ray_qa.rescoring.config import RescoreConfig
from ray_qa.rescoring.output import (
    Plan,
    check_output,
    clear_output,
    join_plan,
    plan_digest,
    plan_of,
    remove_drafts,
)
from ray_qa.rescoring.parts import PartsJob, check_has_scores, parts_done, rescore_parts
from ray_qa.rescoring.promise import PromiseMade
from ray_qa.rescoring.summary import RescoreSummary, run_json, run_of
from ray_qa.runs.annotated_rows import Source, open_source
from ray_qa.runs.live_line import ProgressLine, shown
from ray_qa.runs.log import logged
from ray_qa.runs.output_folder import finish_output_folder
from ray_qa.runs.ownership import output_lock
from ray_qa.runs.part_labels import Counts
from ray_qa.runs.submitted_job import check_outlives_job
from ray_qa.settings import check_kind
from ray_qa.storage import places
from ray_qa.storage.credentials import use_access
from ray_qa.storage.local import SUCCESS
from ray_qa.storage.remote import place_of

_LOG = logging.getLogger(__name__)


def rescore(config: RescoreConfig) -> RescoreSummary:
    """Write an annotated corpus again under another rule; the same call again resumes it, or reports it.

    Raises:
        InputError: if the input is no output of annotate, is not finished, or has no scores; or the gold answers are
            not of its rows, or do not support what is to be promised.
        OutputError: if the output holds something else, or cannot be written to.
        StorageError: if a bucket cannot be reached.
        ConfigError: if ``config`` is something else.
    """
    check_kind(config, RescoreConfig)
    with logged("rescore", config.log_format, quiet=config.quiet):
        return _rescore(config, time.monotonic())


def _rescore(config: RescoreConfig, began: float) -> RescoreSummary:
    for setting, path in (("input", config.input), ("output", config.output)):
        check_outlives_job(setting, path)
    folder = config.folder
    use_access(config.access)
    problems = Problems()
    with problems.gather():
        check_output(folder, place_of(config.input, "input"))
    with problems.gather():
        source = _source(config)
        check_has_scores(source)
    problems.stop_here_if_any(InputError)
    if source.output.unfinished:
        _LOG.warning(f"NOT FINISHED: {source.output.unfinished}. Only what is there is rescored.")
    chosen = choose(config, source)
    plan = plan_of(source, chosen)
    with output_lock(folder, "rescoring"):
        if config.overwrite:
            clear_output(folder)
        join_plan(folder, plan)
        remove_drafts(folder)
        job = PartsJob(
            source=source,
            folder=folder,
            rule=chosen.rule,
            before=rule_of(source.output.settings),
            plan=plan_digest(plan),
        )
        return _carry_out(config, job, plan, chosen.promise, began)


def _source(config: RescoreConfig) -> Source:
    if config.target_precision is None:
        return open_source(config.input, config.partial)
    source = open_source(config.input, partial=True)  # it would advise what a promise forbids
    if source.output.unfinished:
        raise InputError(
            f"`input` must be finished where something is promised of its rows, but {source.output.unfinished}"
        )
    return source


def _carry_out(
    config: RescoreConfig, job: PartsJob, plan: Plan, promise: PromiseMade | None, began: float
) -> RescoreSummary:
    done = parts_done(job)
    rescored_rows = 0
    total = len(job.source.part_counts)

    def line() -> ProgressLine:
        return ProgressLine(
            text=f"{len(done):,} of {total:,} parts, {rescored_rows:,} rows rescored",
            figures={"parts": len(done), "of_parts": total, "rescored_rows": rescored_rows},
        )

    if len(done) < total:
        places.delete([config.folder / SUCCESS])
    with shown(line):
        for part in rescore_parts(job, dict(done)):
            done[part.number] = part.counts
            rescored_rows += part.counts.rows
    summary = RescoreSummary(
        output=str(config.folder),
        counts=sum(done.values(), start=Counts()),
        before=sum(job.source.part_counts, start=Counts()),
        parts=len(done),
        rescored_rows=rescored_rows,
        null_threshold=job.rule.decision.null_threshold,
        always_answer=job.rule.always_answer,
        seconds=time.monotonic() - began,
        promise=promise,
        unfinished=job.source.output.unfinished,
    )
    is_reported = not rescored_rows and places.exists(config.folder / SUCCESS)
    if summary.unfinished is None and not is_reported:
        finish_output_folder(config.folder, run_json(config, plan, summary, run_of(job.source.output.folder)))
    return summary
