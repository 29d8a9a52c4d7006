"""Parts with other outcomes: read, rescored and published some at a time; those that are there are left alone."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

import pyarrow as pa

from ray_qa.data.parquet_opening import open_parquet
from ray_qa.data.parts import Compression, part_path
from ray_qa.errors import InputError, OutputError, first_line
from ray_qa.rescoring.outcomes import READ, Rule, rescored_table
from ray_qa.runs.annotated_rows import Source
from ray_qa.runs.part_labels import Counts, PartLabel, publish_part, read_label
from ray_qa.storage.remote import Place

READERS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class RescoredPart:
    """What came of a part."""

    number: int
    counts: Counts
    changed: int
    """Rows that came to another end before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartsJob:
    """What is done with every part."""

    source: Source
    folder: Place
    rule: Rule
    before: Rule
    plan: str
    """The digest that the new parts carry."""


def check_has_scores(source: Source) -> None:
    """Check that the columns are there that outcomes are made of.

    Raises:
        InputError: naming one that is not.
    """
    if not source.output.wide:
        for name in READ:
            source.check_column("input", source.ours(name))
        return
    for question in source.output.wide:
        source.check_column("input", source.ours(question.id))


def parts_done(job: PartsJob) -> dict[int, Counts]:
    """The counts of those parts that an equal run has made, by number; others count as not there.

    A part whose rows in the input have failed or been cut otherwise since is made again.
    """

    def done(number: int) -> Counts | None:
        with suppress(OutputError, FileNotFoundError):
            label = read_label(part_path(job.folder, number))
            if label.plan == job.plan and _is_of(label.counts, parents[number]):
                return label.counts
        return None

    parents = _parents(job.source)
    with ThreadPoolExecutor(READERS) as pool:
        found = zip(parents, pool.map(done, parents), strict=True)
        return {number: counts for number, counts in found if counts is not None}


def rescore_parts(job: PartsJob, done: Mapping[int, Counts]) -> Iterator[RescoredPart]:
    """Rescore and publish the parts that are not done, as many at a time as there are cores; gives each as it is done.

    Raises:
        InputError: if a part cannot be read, or has no finite scores.
        OutputError: if the output cannot be written to.
        StorageError: if a bucket does not let us.
    """
    to_do = [(number, counts) for number, counts in _parents(job.source).items() if number not in done]
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        yield from pool.map(lambda each: _rescore(job, *each), to_do)


def _rescore(job: PartsJob, number: int, parent: Counts) -> RescoredPart:
    source, path = job.source, part_path(job.source.output.folder, number)
    try:
        with open_parquet(str(path)) as part:
            table, compression = part.read(use_threads=False), _compression(part.metadata)
        wide = [question.id for question in source.output.wide]
        rescored = rescored_table(table, source.ours(""), wide, job.rule, job.before)
    except InputError as error:
        raise InputError(f"`{source.setting}` must have finite scores, but {path} {error}") from None
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"`{source.setting}` must be readable, but {path} gives: {first_line(error)}") from error
    outcomes = rescored.outcomes
    counts = Counts(
        rows=outcomes.answered + outcomes.no_answer + outcomes.failed,
        answered=outcomes.answered,
        no_answer=outcomes.no_answer,
        failed=outcomes.failed,
        questions_cut=parent.questions_cut,
        duplicates=parent.duplicates,
        windows=parent.windows,
    )
    label = PartLabel(plan=job.plan, counts=counts)
    publish_part(job.folder, number, rescored.table.replace_schema_metadata(label.as_metadata()), compression)
    return RescoredPart(number=number, counts=counts, changed=outcomes.changed)


def _parents(source: Source) -> dict[int, Counts]:
    """What the input's parts say of themselves, by number."""
    return dict(zip(source.output.numbers, source.part_counts, strict=True))


def _is_of(counts: Counts, parent: Counts) -> bool:
    def kept(each: Counts) -> tuple[int, ...]:
        return (each.rows, each.failed, each.questions_cut, each.duplicates, each.windows)

    return kept(counts) == kept(parent)


def _compression(metadata: pa.parquet.FileMetaData) -> Compression:
    """That of the input's part."""
    if metadata.num_row_groups and metadata.row_group(0).column(0).compression == "SNAPPY":
        return "snappy"
    return "zstd"
