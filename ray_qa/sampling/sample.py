"""Sample, the whole way: rows of an annotate output are chosen by their scores, fetched, and written for review."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from ray_qa.data.gold import check_once, id_texts
from ray_qa.errors import InputError, OutputError, Problems, first_line
from ray_qa.outgoing.destination import check_destination, write_text
from ray_qa.outgoing.json_values import check_values
from ray_qa.outgoing.label_studio import columns_read, labels_config, task_columns, tasks
from ray_qa.runs.annotated_rows import Source, batches, in_pairs, open_source
from ray_qa.runs.live_line import counted
from ray_qa.runs.log import logged
from ray_qa.sampling.choice import drawn_at_random, nearest_to_the_threshold, readable_rows
from ray_qa.sampling.config import SampleConfig
from ray_qa.sampling.squad_tasks import squad_columns, squad_json
from ray_qa.settings import check_kind
from ray_qa.storage import places
from ray_qa.storage.credentials import use_access
from ray_qa.storage.remote import place_of

_LOG = logging.getLogger(__name__)
ID = "id"


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleSummary:
    """What was taken."""

    rows: int
    of_rows: int
    """Those that could be read."""
    output: str
    form: str


def sample(config: SampleConfig) -> SampleSummary:
    """Write some rows for review.

    Raises:
        InputError: if the input is no output of annotate, or is not finished, or has not the columns.
        OutputError: if what is to be written is there already, or cannot be written.
        StorageError: if a bucket cannot be reached.
        ConfigError: if ``config`` is something else.
    """
    check_kind(config, SampleConfig)
    use_access(config.access)
    with logged("sample", config.log_format, quiet=config.quiet):
        return _sample(config)


def describe(summary: SampleSummary) -> str:
    """The summary in a line."""
    return f"{counted(summary.rows, 'row')} of {summary.of_rows:,} as {summary.form} in {summary.output}"


def as_record(summary: SampleSummary) -> dict[str, Any]:
    """The summary for programs."""
    return asdict(summary)


def _sample(config: SampleConfig) -> SampleSummary:
    problems = Problems()
    with problems.gather():
        for setting, path in (("output", config.output), ("labels_config", config.labels_config)):
            if path is not None:
                check_destination(path, setting, place_of(config.input, "input"), config.overwrite)
    with problems.gather():
        source = _source(config)
    problems.stop_here_if_any(InputError)
    if source.output.unfinished:
        _LOG.warning(f"NOT FINISHED: {source.output.unfinished}. Rows are taken from what is there.")
    rows = readable_rows(source, config.by)
    if not len(rows.row_R):
        raise InputError(f"`input` must have rows that could be read, but all rows of {source.output.folder} failed")
    if rows.without_scores:
        _LOG.warning(
            f"the scores of {counted(rows.without_scores, 'row')} are no numbers; they are left out of what rows are "
            "taken from"
        )
    wanted = config.random or config.lowest_margin or 0
    if wanted > len(rows.row_R):
        _LOG.warning(f"all {len(rows.row_R):,} rows that could be read are taken, as {wanted:,} are asked for")
    if config.random is not None:
        chosen = drawn_at_random(rows, wanted, config.seed)
    else:
        chosen = nearest_to_the_threshold(rows, wanted)
    _write(config, source, chosen)
    return SampleSummary(rows=len(chosen), of_rows=len(rows.row_R), output=config.output, form=config.to)


def _source(config: SampleConfig) -> Source:
    source = in_pairs(open_source(config.input, config.partial), config.id_column)
    source.check_column("id_column", config.id_column)
    return source


def _write(config: SampleConfig, source: Source, chosen: npt.NDArray[np.int64]) -> None:
    if config.to == "parquet":
        names = source.named(config.columns)
        _write_parquet(config.output, _rows(source, names, chosen).select(names))
        return
    if config.to == "squad":
        rows = _rows(source, [config.id_column, *squad_columns(source)], chosen)
        ids = _ids(config, source, rows)
        write_text(config.output, "output", squad_json(source, rows, ids))
        return
    others = [name for name in (task_columns(source, config.columns) if config.columns else []) if name != ID]
    check_values(source.schema, others)
    task_columns(source, [config.id_column])
    rows = _rows(source, [config.id_column, *columns_read(source, others)], chosen)
    rows = _called(rows, ID, _ids(config, source, rows))
    if config.labels_config is not None:
        write_text(config.labels_config, "labels_config", [labels_config(source)])
    write_text(config.output, "output", tasks(source, [ID, *others], [rows]))


def _rows(source: Source, columns: Sequence[str], chosen: npt.NDArray[np.int64]) -> pa.RecordBatch:
    """The chosen rows, in the output's order."""
    some, first = [], 0
    for batch in batches(source, list(dict.fromkeys(columns))):
        low, high = np.searchsorted(chosen, [first, first + batch.num_rows])
        if high > low:
            some.append(batch.take(pa.array(chosen[low:high] - first)))
        first += batch.num_rows
    return pa.concat_batches(some)


def _ids(config: SampleConfig, source: Source, rows: pa.RecordBatch) -> pa.Array:
    """The ids as texts, each seen to come once: reviewed rows are known by them."""
    ids = id_texts(rows.column(config.id_column), "id_column", config.input, 0)
    check_once(pa.chunked_array([ids]), "id_column", "what is taken", source.said_of_pair)
    return ids


def _called(rows: pa.RecordBatch, name: str, array: pa.Array) -> pa.RecordBatch:
    """The rows with a column of this name, in the place of one that has it."""
    at = rows.schema.get_field_index(name)
    return rows.set_column(at, name, array) if at >= 0 else rows.append_column(name, array)


def _write_parquet(path: str, rows: pa.RecordBatch) -> None:
    place = place_of(path, "output")
    try:
        places.make_folder(place.parent)
        with places.draft_for(place) as draft:
            pq.write_table(pa.Table.from_batches([rows]), draft, compression="zstd")
    except OSError as error:
        raise OutputError(
            f"`output` must be a file that can be written, but {place} gives: {first_line(error)}"
        ) from error
