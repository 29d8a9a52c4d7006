"""Where rows come from: what the patterns of an input lead to, and what tells whether it has changed."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from ray_qa.data.data_sets import is_data_set, saved_data_set
from ray_qa.data.file_search import FoundFile, check_once, find_files, find_row_files
from ray_qa.data.object_tables import CHUNK_ROWS
from ray_qa.data.row_forms import ANY, form_of
from ray_qa.data.text_files import TextFiles
from ray_qa.data.value_digest import ValueDigest
from ray_qa.errors import listed


@dataclass(frozen=True, slots=True, kw_only=True)
class RowSource:
    """Where rows come from, in the order of the patterns: a file, a data set, or text files that are a row each."""

    name: str
    """Its path or URL; as :mod:`ray_qa.data.data_sets` takes it; or the patterns that led to text files."""
    file: FoundFile | None = None
    stamp: str
    """What changes with its content; a data set of the hub is as it was when it was first fetched."""
    table: pa.Table | None = field(default=None, compare=False, repr=False)
    """Its rows, where the caller has them in memory."""
    texts: TextFiles | None = field(default=None, repr=False)
    """The text files whose rows it has, if it is those."""

    @property
    def files(self) -> tuple[FoundFile, ...]:
        """The files that its rows lie in."""
        if self.texts is not None:
            return self.texts.files
        return () if self.file is None else (self.file,)

    @property
    def is_parquet(self) -> bool:
        """Whether its rows can be read as they are."""
        return self.file is not None and form_of(self.name).is_parquet


@dataclass(frozen=True, slots=True, kw_only=True)
class RowSources:
    """What patterns lead to, and what lay beside it."""

    sources: tuple[RowSource, ...]
    passed_over: tuple[str, ...] = ()

    @property
    def paths(self) -> list[str]:
        """All files, in order."""
        return [file.path for source in self.sources for file in source.files]


NO_TABLES: Mapping[str, pa.Table] = {}


def find_rows(
    patterns: Sequence[str],
    setting: str,
    tables: Mapping[str, pa.Table] = NO_TABLES,
    texts_in: str | None = None,
) -> RowSources:
    """Expand files, folders, globs and names of data sets; in a folder Parquet counts where there is any, else all.

    Args:
        patterns: what is named.
        setting: by which it is named, for messages.
        tables: those that the caller has, by the names under which they stand among the patterns.
        texts_in: the column to put texts into where all files are text files, each of which is a row.

    Raises:
        InputError, ConfigError, StorageError: as :func:`ray_qa.data.file_search.find_files`.
    """
    sources: list[RowSource] = []
    passed_over: list[str] = []
    for are_tables, named in itertools.groupby(patterns, key=lambda pattern: pattern in tables):
        if are_tables:
            found = [_of_table(name, tables[name]) for name in named]
        elif texts_in is not None:
            found = [_of_texts(list(named), setting, texts_in)]
        else:
            found = [_of_rows(pattern, setting) for pattern in named]
        sources += [source for each in found for source in each.sources]
        passed_over += [name for each in found for name in each.passed_over]
    rows = RowSources(sources=tuple(sources), passed_over=tuple(passed_over))
    check_once([source.name for source in sources], setting)
    check_once(rows.paths, setting)
    return rows


def slices(table: pa.Table) -> Iterator[pa.Table]:
    """The rows of a table some after the other, after its schema."""
    yield table.schema.empty_table()
    yield from (table.slice(first, CHUNK_ROWS) for first in range(0, table.num_rows, CHUNK_ROWS))


def _of_table(name: str, table: pa.Table) -> RowSources:
    return RowSources(sources=(RowSource(name=name, stamp=_stamp_of_table(table), table=table),))


def _of_texts(patterns: Sequence[str], setting: str, column: str) -> RowSources:
    """All text files as one source: there may be very many."""
    found = find_files(patterns, setting, ANY)
    texts = TextFiles(files=found.files, column=column)
    source = RowSource(name=listed(patterns, 3), stamp=_stamp_of_texts(texts), texts=texts)
    return RowSources(sources=(source,), passed_over=found.passed_over)


def _of_rows(pattern: str, setting: str) -> RowSources:
    if is_data_set(pattern) or saved_data_set(pattern):
        return RowSources(sources=(RowSource(name=pattern, stamp=_stamp_of_data_set(pattern)),))
    found = find_row_files([pattern], setting)
    return RowSources(
        sources=tuple(RowSource(name=file.path, file=file, stamp=_stamp(file)) for file in found.files),
        passed_over=found.passed_over,
    )


def _stamp(file: FoundFile) -> str:
    if file.stored is not None:
        return json.dumps([file.stored.size, file.stored.version])
    stat = Path(file.path).stat()
    return json.dumps([stat.st_size, stat.st_mtime_ns])


def _stamp_of_texts(texts: TextFiles) -> str:
    """A digest of names and stamps: there may be very many."""
    digest = hashlib.sha256(json.dumps(texts.column).encode())
    for file in texts.files:
        digest.update(json.dumps([file.path, file.partitions, _stamp(file)]).encode())
    return digest.hexdigest()


def _stamp_of_data_set(name: str) -> str:
    saved = saved_data_set(name)
    if saved is None:
        return ""
    stats = [(path.name, path.stat()) for path in sorted(saved.folder.rglob("*")) if path.is_file()]
    return json.dumps([(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats])


def _stamp_of_table(table: pa.Table) -> str:
    digest = ValueDigest()
    for some in slices(table):
        digest.add(some)
    return json.dumps([digest.hexdigest(), str(table.schema)])
