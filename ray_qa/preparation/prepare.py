"""Prepare, the whole way: what is named is found, brought into Parquet, checked, and written in parts."""

from __future__ import annotations

import time

from ray_qa.data.row_sources import RowSources
from ray_qa.errors import InputError, OutputError, Problems, first_line, listed
from ray_qa.preparation.config import PrepareConfig
from ray_qa.preparation.named import NamedRows, bring_sources, find_sources
from ray_qa.preparation.output import (
    Plan,
    apart_files_of,
    are_all_done,
    check_joins,
    check_output,
    clear_output,
    files_there,
    join_plan,
    parts_of,
    plan_of,
    read_plan,
    record_of_done,
    remove_left_overs,
)
from ray_qa.preparation.records import SourceRecord, write_record
from ray_qa.preparation.sources import survey_in_words, survey_source, write_source
from ray_qa.preparation.summary import PreparedSummary, read_summary, run_json, summary_of
from ray_qa.runs.live_line import ProgressLine, counted, shown
from ray_qa.runs.log import logged, notice
from ray_qa.runs.output_folder import finish_output_folder
from ray_qa.runs.ownership import output_lock
from ray_qa.runs.submitted_job import check_outlives_job
from ray_qa.settings import check_kind
from ray_qa.storage import places
from ray_qa.storage.credentials import use_access
from ray_qa.storage.local import SUCCESS
from ray_qa.storage.remote import Place


def prepare(config: PrepareConfig) -> PreparedSummary:
    """Bring rows into Parquet and check their gold answers; the same call again resumes, or reports what is finished.

    Raises:
        RayQaError: if the settings, the input or the output cannot be used.
    """
    called = time.monotonic()
    check_kind(config, PrepareConfig)
    with logged("prepare", config.log_format, quiet=config.quiet):
        return _prepare(config, called)


def _prepare(config: PrepareConfig, called: float) -> PreparedSummary:
    check_outlives_job("output", config.output)
    folder = config.folder
    config = config.model_copy(update={"output": str(folder)})
    use_access(config.access)
    found = _check_what_is_named(config, folder)
    if found.passed_over:
        notice(f"`input` passes over {listed(found.passed_over, 3)}")
    plan = plan_of(config, found)
    earlier = None if config.overwrite else read_plan(folder)
    if earlier is not None:
        check_joins(folder, earlier, plan)
        if _is_finished(folder, plan):
            return read_summary(folder)
    with output_lock(folder, "preparing"):
        rows = bring_sources(config, folder, found)
        if config.overwrite:
            clear_output(folder)
        join_plan(folder, plan)
        records = _write(folder, rows)
        summary = summary_of(folder, records, time.monotonic() - called, rows.part)
        if not summary.counts.reconcile:
            raise OutputError(f"`output` must have every row once, but has {summary.counts}; report this as a defect")
        remove_left_overs(folder, records)
        finish_output_folder(folder, run_json(config, plan, records, summary))
    return summary


def _check_what_is_named(config: PrepareConfig, folder: Place) -> RowSources:
    problems = Problems()
    found: RowSources | None = None
    with problems.gather():
        check_output(folder)
    with problems.gather():
        found = find_sources(config, folder)
    problems.stop_here_if_any(InputError)
    assert found is not None
    return found


def _is_finished(folder: Place, plan: Plan) -> bool:
    if not places.exists(folder / SUCCESS):
        return False
    if are_all_done(folder, plan):
        return True
    places.delete([folder / SUCCESS])
    notice(f"{folder} has lost some of its files; they are made again")
    return False


def _write(folder: Place, rows: NamedRows) -> list[SourceRecord]:
    """Write all sources that are not done yet; gives the records of all."""
    there = files_there(folder)
    records: list[SourceRecord] = []
    total, done = sum(source.rows for source in rows.sources), 0

    def line() -> ProgressLine:
        return ProgressLine(
            text=f"{done:,}/{counted(total, 'row')} · {len(records):,}/{counted(len(rows.sources), 'source')}",
            figures={"rows": done, "rows_total": total, "sources": len(records), "sources_total": len(rows.sources)},
        )

    def add(more: int) -> None:
        nonlocal done
        done += more

    with shown(line):
        for number, source in enumerate(rows.sources):
            record = record_of_done(folder, source.name, records, there)
            if record is None:
                offsets = survey_source(source, rows)
                if offsets.unit != "code_points":
                    notice(survey_in_words(source.name, offsets))
                try:
                    record = write_source(
                        folder, source, rows, offsets, parts_of(records), apart_files_of(records), add
                    )
                    write_record(folder, number, record)
                except OSError as error:
                    raise _cannot_write(folder, error) from error
            else:
                add(source.rows)
            records.append(record)
    return records


def _cannot_write(folder: Place, error: OSError) -> OutputError:
    return OutputError(f"`output` must be writable, but {folder} gives: {first_line(error)}")
