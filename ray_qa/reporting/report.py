"""Report, the whole way: an output of annotate is read once, or twice with gold answers, and a page made of it."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from ray_qa.errors import OutputError, first_line
from ray_qa.reporting.columns import columns_of
from ray_qa.reporting.config import ReportConfig
from ray_qa.reporting.correctness import correctness, judged
from ray_qa.reporting.page import page
from ray_qa.reporting.run_facts import run_facts
from ray_qa.reporting.samples import Samples
from ray_qa.reporting.statistics import RowStatistics, scored_batch
from ray_qa.runs.annotated_rows import Source, batches, in_pairs, open_source
from ray_qa.runs.live_line import counted
from ray_qa.runs.log import logged
from ray_qa.runs.output_folder import OURS
from ray_qa.settings import check_kind
from ray_qa.storage import places
from ray_qa.storage.credentials import use_access
from ray_qa.storage.remote import Place, Remote, place_of

_LOG = logging.getLogger(__name__)

REPORT = f"{OURS}/report.html"
"""Where a page lies that belongs to its output: one among the parts would break their readers."""
BATCH_ROWS = 8_192


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSummary:
    """What was reported on, and where."""

    rows: int
    output: str
    unfinished: str | None = None


def report(config: ReportConfig) -> ReportSummary:
    """Make the page of an output.

    Raises:
        InputError: if the output is none or is not finished; or gold answers that are named cannot be read, or are of
            other rows.
        OutputError: if the page cannot be written, or would lie among the parts.
        StorageError: if a bucket cannot be reached.
        ConfigError: if ``config`` is something else.
    """
    check_kind(config, ReportConfig)
    use_access(config.access)
    with logged("report", config.log_format, quiet=config.quiet):
        folder = place_of(config.input, "input")
        place = folder / REPORT if config.output is None else place_of(config.output, "output")
        if config.output is not None:
            _check_place(place, folder)
        source = open_source(config.input, config.partial)
        if source.output.unfinished:
            _LOG.warning(f"NOT FINISHED: {source.output.unfinished}. Only what is there is reported on.")
        write_report(source, place, gold=config.gold, id_column=config.id_column)
        return ReportSummary(rows=source.counts["rows"], output=str(place), unfinished=source.output.unfinished)


def write_report(source: Source, place: Place, *, gold: str | None = None, id_column: str = "id") -> None:
    """Make the page of an output that has been opened, and publish it.

    Args:
        source: the output; of a wide one each pair of context and question is a row.
        place: where the page is to lie; one that is there is replaced.
        gold: where its gold answers are, if it has not kept them.
        id_column: its column that ties rows to those.

    Raises:
        InputError, OutputError, StorageError: as :func:`report`.
    """
    source = in_pairs(source, id_column)
    held = judged(source, gold, id_column)
    columns = columns_of(source, id_column=id_column, keeps_gold=held is not None and held.gold is None)
    facts, statistics = run_facts(source), RowStatistics()
    samples = Samples(
        columns=columns, flips_at=facts.flips_at, wanted=held.surely_wrong if held is not None else frozenset()
    )
    for each in batches(source, columns.read, BATCH_ROWS):
        batch = scored_batch(pa.Table.from_batches([each]), columns, first=statistics.rows)
        statistics.add(batch, columns)
        samples.add(batch)
    if statistics.without_margin:
        _LOG.warning(
            f"the scores of {counted(statistics.without_margin, 'row')} are no numbers; they are left out of what the "
            "page tells of margins"
        )
    text = page(
        facts=facts,
        statistics=statistics,
        samples=samples,
        correctness=None if held is None else correctness(held),
        judged={} if held is None else held.of(samples.rows()),
    )
    _publish(place, text)


def describe(summary: ReportSummary) -> str:
    """The summary in a line; that an output is not finished is said before."""
    return f"{counted(summary.rows, 'row')} in {summary.output}"


def as_record(summary: ReportSummary) -> dict[str, Any]:
    """The summary for programs."""
    return asdict(summary)


def _check_place(place: Place, folder: Place) -> None:
    if isinstance(place, Path) and place.is_dir():
        raise OutputError(f"`output` must be a file to write, but {place} is a folder")
    if isinstance(place, Remote) or isinstance(folder, Remote):
        is_among_parts = str(place).startswith(f"{folder}/") and not str(place).startswith(f"{folder / OURS}/")
    else:
        place, folder = place.resolve(), folder.resolve()
        is_among_parts = place.is_relative_to(folder) and not place.is_relative_to(folder / OURS)
    if is_among_parts:
        raise OutputError(
            f"`output` must not lie among the parts, whose readers it would break, but {place} is in {folder}; leave "
            f"it out for {REPORT}"
        )


def _publish(place: Place, text: str) -> None:
    try:
        places.make_folder(place.parent)
        places.publish(place, text.encode())
    except OSError as error:
        raise OutputError(
            f"`output` must be a file that can be written, but {place} gives: {first_line(error)}"
        ) from error
