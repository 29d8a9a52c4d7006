"""Export, the whole way: an output of annotate is checked, and its rows stream into the form that is asked for."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from ray_qa.errors import InputError, Problems
from ray_qa.exporting.config import ExportConfig
from ray_qa.exporting.csv_rows import csv_lines
from ray_qa.exporting.jsonl import lines
from ray_qa.exporting.parquet_folder import check_folder, write_folder
from ray_qa.exporting.squad import check_one_answer_a_row, na_probs, predictions
from ray_qa.outgoing.destination import check_apart_from, check_destination, write_text
from ray_qa.outgoing.json_values import check_values
from ray_qa.outgoing.label_studio import columns_read, labels_config, task_columns, tasks
from ray_qa.runs.annotated_rows import Source, batches, open_source
from ray_qa.runs.live_line import counted
from ray_qa.runs.log import logged
from ray_qa.runs.output_folder import output_place
from ray_qa.runs.row_ids import check_ids
from ray_qa.settings import check_kind
from ray_qa.storage.credentials import use_access
from ray_qa.storage.remote import place_of

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportSummary:
    """What was exported."""

    rows: int
    output: str
    form: str
    unfinished: str | None = None
    """What the export lacks, where annotate has not come to its end."""


def export(config: ExportConfig) -> ExportSummary:
    """Hand the rows of an output on; whatever is written appears whole, when all of it is there.

    Raises:
        InputError: if the output is none, is not finished, or has not the columns that are asked for; and with it, if
            what is to be written is there already.
        OutputError: if it cannot be written.
        StorageError: if a bucket cannot be reached.
        ConfigError: if ``config`` is something else.
    """
    check_kind(config, ExportConfig)
    use_access(config.access)
    with logged("export", config.log_format, quiet=config.quiet):
        return _export(config)


def describe(summary: ExportSummary) -> str:
    """The summary in a line, or two."""
    missing = [] if summary.unfinished is None else [f"not finished: {summary.unfinished}"]
    return "\n".join([*missing, f"{counted(summary.rows, 'row')} as {summary.form} in {summary.output}"])


def as_record(summary: ExportSummary) -> dict[str, Any]:
    """The summary for programs."""
    return asdict(summary)


def _export(config: ExportConfig) -> ExportSummary:
    problems = Problems()
    with problems.gather():
        _check_outputs(config)
    with problems.gather():
        source = open_source(config.input, config.partial)
    problems.stop_here_if_any(InputError)
    if source.output.unfinished:
        _LOG.warning(f"NOT FINISHED: {source.output.unfinished}. Only what is there is exported.")
    if config.to == "parquet":
        columns = source.named(config.columns)
        write_folder(source, output_place(config.output), columns, config.rows_per_file, config.compression)
    else:
        _write_files(config, source)
    return ExportSummary(rows=source.rows, output=config.output, form=config.to, unfinished=source.output.unfinished)


def _check_outputs(config: ExportConfig) -> None:
    exported = place_of(config.input, "input")
    if config.to == "parquet":
        folder = output_place(config.output)
        check_apart_from(folder, "output", exported)
        check_folder(folder, config.overwrite)
        return
    beside = {"output": config.output, "na_probs": config.na_probs, "labels_config": config.labels_config}
    for setting, path in beside.items():
        if path is not None:
            check_destination(path, setting, exported, config.overwrite)


def _write_files(config: ExportConfig, source: Source) -> None:
    """What stands beside the rows is written first: the rows' own file says that all is there."""
    pieces = _pieces(config, source)
    if config.na_probs is not None:
        write_text(config.na_probs, "na_probs", na_probs(source, config.id_column))
    if config.labels_config is not None:
        write_text(config.labels_config, "labels_config", [labels_config(source)])
    write_text(config.output, "output", pieces)


def _pieces(config: ExportConfig, source: Source) -> Iterator[str]:
    """The text of the form, a piece at a time; what is wrong with columns is said before the first."""
    if config.to == "squad":
        check_one_answer_a_row(source)
        check_ids(source, config.id_column)
        return predictions(source, config.id_column, spans=config.spans)
    if config.to == "label-studio":
        others = task_columns(source, config.columns)
        check_values(source.schema, others)
        return tasks(source, others, batches(source, columns_read(source, others)))
    columns = source.named(config.columns)
    check_values(source.schema, columns)
    return lines(source, columns) if config.to == "jsonl" else csv_lines(source, columns)
