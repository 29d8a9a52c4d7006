"""Rows with gold answers, from any of their sources, in one form; surveyed first, then written down as Parquet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ray_qa.data.data_sets import is_data_set
from ray_qa.data.example_schema import (
    CHUNK_ROWS,
    SCHEMA,
    ExampleColumns,
    MalformedRow,
    Setting,
)
from ray_qa.data.example_sources import ExampleFile, open_source, source_files
from ray_qa.data.file_search import FoundFile
from ray_qa.data.value_digest import ValueDigest
from ray_qa.errors import InputError
from ray_qa.storage.places import draft_for, open_input
from ray_qa.storage.remote import Place

MOST_DROPPED = 0.05
NAMES = ExampleColumns()


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """Which rows to read, and how."""

    sources: tuple[str, ...]
    """Parquet, SQuAD JSON (``.json``) and JSONL (``.jsonl``) files, folders and globs; folders that ``save_to_disk`` of
    ``datasets`` wrote; or names of data sets, ``NAME`` or ``NAME:SPLIT`` (``train`` unless given), for it to fetch."""
    setting: Setting
    columns: ExampleColumns = NAMES
    max_dropped: float = MOST_DROPPED
    """Most of a file's rows, as a fraction, that may be malformed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileState:
    """What tells whether a file has changed since."""

    path: str
    size: int
    mtime_ns: int = 0
    version: str = ""
    """Of an object of a bucket: what changes with its content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamplesSummary:
    """How many rows there are, how many have an answer, and a digest of all they hold."""

    rows: int
    answerable: int
    sha256: str
    malformed: dict[str, int] = field(default_factory=dict, compare=False)
    """Rows that cannot be used, by reason."""
    files: tuple[FileState, ...] = field(default=(), compare=False)
    """What was read, where that is files alone."""
    columns: ExampleColumns = field(default=NAMES, compare=False)


def read_examples(examples: Examples) -> Iterator[pa.Table]:
    """Read all rows, in order, as tables of ``SCHEMA`` with at most ``CHUNK_ROWS`` rows.

    Raises:
        InputError: if a source cannot be found or read, comes twice, has not the columns, or has more malformed rows
            than may be.
    """
    source_files(examples.sources, examples.setting)
    for source in examples.sources:
        for file in open_source(source, examples.columns, examples.setting):
            yield from _rows(file, examples)


def survey_examples(examples: Examples, known: ExamplesSummary | None = None) -> ExamplesSummary:
    """Read all rows once, to see that they are fit for use; or not at all, where ``known`` tells of the same files.

    Raises:
        InputError: as :func:`read_examples`; or there is no row, or none with an answer.
    """
    files = _states(examples)
    if known is not None and files and (known.files, known.columns) == (files, examples.columns):
        return known
    tally = _Tally()
    for table in read_examples(examples):
        tally.add(table)
    names = ", ".join(examples.sources)
    if not tally.rows:
        raise InputError(f"`{examples.setting}` must have rows, but {names} has none")
    if not tally.answerable:
        raise InputError(
            f"`{examples.setting}` must have rows with an answer, but none of the {tally.rows:,} of {names} has one; "
            f"is the column `{examples.columns.answers}` filled?"
        )
    return tally.summary(files, examples.columns)


def write_examples(examples: Examples, path: Place, expected: ExamplesSummary, scratch: Path | None = None) -> None:
    """Write all rows to one Parquet file, a row group for each table of :func:`read_examples`; all of it or nothing.

    Raises:
        InputError: if they are no longer those that were surveyed.
    """
    tally = _Tally()
    with draft_for(path, scratch) as draft:
        with pq.ParquetWriter(draft, SCHEMA, compression="zstd") as writer:
            for table in read_examples(examples):
                tally.add(table)
                writer.write_table(table, row_group_size=CHUNK_ROWS)
        if tally.summary() != expected:
            raise InputError(
                f"`{examples.setting}` must stay as it is while it is read, but {', '.join(examples.sources)} has "
                "changed; run again"
            )


def row_ids(path: Place, rows: Sequence[int]) -> list[str]:
    """The ids of rows, by number, in a file that :func:`write_examples` made."""
    ids = pq.read_table(open_input(path), columns=["id"])["id"]
    return [str(ids[row].as_py()) for row in rows]


def _rows(file: ExampleFile, examples: Examples) -> Iterator[pa.Table]:
    rows = malformed = 0
    first: MalformedRow | None = None
    for chunk in file.chunks:
        rows += chunk.rows.num_rows
        malformed += chunk.malformed
        first = first or chunk.first_malformed
        yield chunk.rows
    if first is not None and malformed > examples.max_dropped * rows:
        raise InputError(
            f"`{examples.setting}` must have at most {examples.max_dropped:.0%} malformed rows (`max_dropped`), but "
            f"{file.name} has {malformed:,} of {rows:,}, the first in {first.where} ({first.reason}): {first.found}"
        )


def _states(examples: Examples) -> tuple[FileState, ...]:
    """The files as they are now; none where something has to be fetched to be known."""
    files = source_files(examples.sources, examples.setting).files
    if any(is_data_set(source) for source in examples.sources):
        return ()
    return tuple(map(_state, files))


def _state(file: FoundFile) -> FileState:
    if file.stored is not None:
        return FileState(path=file.path, size=file.stored.size, version=file.stored.version)
    stat = Path(file.path).stat()
    return FileState(path=file.path, size=stat.st_size, mtime_ns=stat.st_mtime_ns)


@dataclass(slots=True, kw_only=True)
class _Tally:
    """What a summary tells, of the rows so far."""

    rows: int = 0
    answerable: int = 0
    malformed: Counter[str] = field(default_factory=Counter)
    digest: ValueDigest = field(default_factory=ValueDigest)

    def add(self, table: pa.Table) -> None:
        self.rows += table.num_rows
        texts = pc.struct_field(table["answers"], "text")
        self.answerable += int(pc.sum(pc.greater(pc.list_value_length(texts), 0)).as_py() or 0)
        for count in pc.value_counts(table["malformed"].drop_null()).to_pylist():
            self.malformed[count["values"]] += count["counts"]
        self.digest.add(table)

    def summary(self, files: tuple[FileState, ...] = (), columns: ExampleColumns = NAMES) -> ExamplesSummary:
        return ExamplesSummary(
            rows=self.rows,
            answerable=self.answerable,
            sha256=self.digest.hexdigest(),
            malformed=dict(self.malformed),
            files=files,
            columns=columns,
        )
