"""Annotate, the whole way: what is asked for is checked and planned, and what is not done yet is run on Ray."""

from __future__ import annotations

import time

from ray_qa.annotation.accounting import Clock, finish_run, is_whole, only_wants_finishing, to_retry
from ray_qa.annotation.config import AnnotateConfig
from ray_qa.annotation.output import check_joins, read_plan
from ray_qa.annotation.planning import check_what_is_named, plan_of
from ray_qa.annotation.summary import RunSummary, read_summary
from ray_qa.data.parquet_files import MOST_NAMED
from ray_qa.errors import listed
from ray_qa.reader.model_check import check_model
from ray_qa.runs.live_line import counted, tell
from ray_qa.runs.output_folder import RUN
from ray_qa.runs.ownership import output_lock
from ray_qa.runs.submitted_job import check_outlives_job
from ray_qa.settings import check_kind, unsettled
from ray_qa.storage import places
from ray_qa.storage.credentials import use_access
from ray_qa.storage.local import SUCCESS


def annotate(config: AnnotateConfig) -> RunSummary:
    """Annotate a corpus; the same call again resumes it, or reports it where it is finished.

    Raises:
        RayQaError: before any work, if the settings, the input, the model or the output cannot be used; with all
            problems that could be found.
    """
    clock = Clock(called=time.time())
    check_kind(config, AnnotateConfig)
    check_outlives_job("output", config.output)
    folder = config.folder
    config = config.model_copy(update={"output": str(folder)})
    use_access(config.access)
    named = check_what_is_named(config, folder)
    if named.inputs.passed_over:
        tell("annotate", f"`input` passes over {listed(named.inputs.passed_over, 3)}")
    if left_out := named.inputs.left_out:
        tell("annotate", *left_out[:MOST_NAMED], f"`skip_bad_files` leaves out {counted(len(left_out), 'file')}")
    earlier = None if config.overwrite else read_plan(folder)
    if earlier is not None:
        check_joins(folder, earlier, plan_of(config, named), unsettled(config))
        if (
            places.exists(folder / SUCCESS)
            and is_whole(folder, earlier, config.verify)
            and not to_retry(config, earlier)
        ):
            if config.profile:
                tell("annotate", f"there is nothing to profile, as nothing is done; the run's own is in {folder / RUN}")
            return read_summary(folder, config.max_failed)
        if only_wants_finishing(folder, earlier) and not to_retry(config, earlier):
            with output_lock(folder, "annotating", may_share=True):
                return finish_run(config, earlier, 0, clock)
    check_model(named.model, config)
    clock.passed("checks")

    from ray_qa.annotation.running import run  # Ray takes seconds to import, and has no part in what was refused

    return run(config, named, earlier, clock)
