"""The Parquet files to read: describing them from their footers, refusing what cannot be read."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from ray_qa.data.dictionaries import text_bytes
from ray_qa.data.file_kinds import instead_of_parquet
from ray_qa.data.file_search import FoundFile, FoundFiles, find_files
from ray_qa.data.parquet_opening import open_parquet
from ray_qa.data.partitions import PartitionValue, partition_schema, typed_partitions
from ray_qa.data.row_groups import Source
from ray_qa.data.schema_union import unify
from ray_qa.data.schemas import is_text
from ray_qa.data.units import RowGroup
from ray_qa.errors import InputError, first_line, listed
from ray_qa.settings import ColumnSettings
from ray_qa.storage.places import open_input
from ray_qa.storage.remote import place_of

MAGIC = b"PAR1"
READERS = 32
MOST_NAMED = 20
"""So many bad files are named one by one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFile:
    """A Parquet file as its footer tells: enough to plan, and to see whether it changed."""

    path: str
    size: int
    mtime_ns: int
    """0 for objects of a bucket, which have a version."""
    footer_sha256: str
    rows: tuple[int, ...]
    """Rows of each row group."""
    text_bytes: tuple[int, ...]
    """Bytes of the question and context columns of each row group, decoded."""
    partitions: tuple[tuple[str, PartitionValue], ...] = ()
    """Columns that the names of its folders state, with the value that all its rows have."""
    version: str = ""
    """Of an object: what changes with its content."""
    source: str = ""
    """What it was made of, if that was no Parquet."""

    @property
    def said(self) -> str:
        """What its owner knows it by."""
        return self.source or self.path


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """All files of a corpus, in order, and the schema their rows are read in."""

    files: tuple[InputFile, ...]
    schema: pa.Schema
    passed_over: tuple[str, ...] = ()
    """What lay in the folders and is not read."""
    left_out: tuple[str, ...] = ()
    """What is wrong with the files that are left out, a line each."""

    @property
    def rows(self) -> int:
        """Rows of the corpus."""
        return sum(sum(file.rows) for file in self.files)

    @property
    def row_groups(self) -> list[RowGroup]:
        """All row groups, in order."""
        return [
            RowGroup(file=number, row_group=group, rows=rows, text_bytes=text_bytes)
            for number, file in enumerate(self.files)
            for group, (rows, text_bytes) in enumerate(zip(file.rows, file.text_bytes, strict=True))
        ]

    @property
    def sources(self) -> tuple[Source, ...]:
        """Where rows are read from."""
        return tuple(Source(path=file.path, partitions=file.partitions) for file in self.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Described:
    file: InputFile
    schema: pa.Schema


def read_inputs(
    patterns: Sequence[str],
    columns: ColumnSettings,
    known: Inputs | None = None,
    setting: str = "input",
    *,
    skip_bad: bool = False,
) -> Inputs:
    """Find and describe Parquet files: files, folders or globs, as :func:`describe_inputs` has them."""
    return describe_inputs(find_files(patterns, setting), columns, known, setting, skip_bad=skip_bad)


def describe_inputs(
    found: FoundFiles,
    columns: ColumnSettings,
    known: Inputs | None = None,
    setting: str = "input",
    *,
    skip_bad: bool = False,
    bad: Sequence[str] = (),
) -> Inputs:
    """Describe the input files.

    Args:
        found: the files.
        columns: which columns hold the text, and which are read.
        known: what an earlier run with the same columns has found; a file is not read again where its size and
            modification time are unchanged.
        setting: what the patterns were given as, for messages.
        skip_bad: leave files out that are no Parquet files or truncated, instead of refusing them.
        bad: what is wrong with files that are not among ``found``, a line each.

    Raises:
        InputError: if a file is missing, is no Parquet file, is truncated, has a schema that cannot be unified with
            the others', or all are empty; with all files of which it can be said.
    """
    partitions = partition_schema(file.partitions for file in found.files)
    text_columns = columns.read
    with ThreadPoolExecutor(READERS) as pool:
        if known and _same_places(found.files, partitions, known):
            again = list(
                pool.map(
                    lambda file, there: _unless_changed(file, there, text_columns, setting), known.files, found.files
                )
            )
            unchanged = tuple(file for file in again if file is not None)
            if len(unchanged) == len(again) and not bad:
                return Inputs(files=unchanged, schema=known.schema, passed_over=found.passed_over)
        looked_at = list(pool.map(lambda file: _look_at(file, partitions, text_columns, setting), found.files))
    bad = [*bad, *(line for each in looked_at if isinstance(each, InputError) for line in each.problems)]
    described = [each for each in looked_at if isinstance(each, _Described)]
    if bad and not (skip_bad and described):
        raise InputError(
            *bad[:MOST_NAMED], *([f"and {len(bad) - MOST_NAMED:,} more files"] if bad[MOST_NAMED:] else [])
        )
    read = {*columns.keep, *text_columns}
    inputs = Inputs(
        files=tuple(each.file for each in described),
        schema=unify(
            ((each.file.said, each.schema) for each in described), lambda name: not columns.keep or name in read
        ),
        passed_over=found.passed_over,
        left_out=tuple(bad),
    )
    if inputs.rows == 0:
        names = dict.fromkeys(file.source or file.path for file in found.files)
        raise InputError(f"`{setting}` must have rows, but {listed(names, 3)} has none")
    return inputs


def _same_places(found: Sequence[FoundFile], partitions: pa.Schema, known: Inputs) -> bool:
    return [(file.path, typed_partitions(file.partitions, partitions)) for file in found] == [
        (file.path, file.partitions) for file in known.files
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Stamp:
    """What tells whether a file has changed without reading it."""

    size: int
    mtime_ns: int = 0
    version: str = ""


def _stamp(found: FoundFile) -> _Stamp:
    if found.stored is not None:
        return _Stamp(size=found.stored.size, version=found.stored.version)
    stat = Path(found.path).stat()
    return _Stamp(size=stat.st_size, mtime_ns=stat.st_mtime_ns)


def _unless_changed(file: InputFile, found: FoundFile, text_columns: Sequence[str], setting: str) -> InputFile | None:
    """The file as it is now, if it holds what it held."""
    if _stamp(found) == _Stamp(size=file.size, mtime_ns=file.mtime_ns, version=file.version):
        return file
    now = _describe(replace(found, partitions=()), pa.schema([]), text_columns, setting).file
    same = (now.size, now.footer_sha256) == (file.size, file.footer_sha256)
    return replace(file, mtime_ns=now.mtime_ns, version=now.version) if same else None


def _look_at(
    found: FoundFile, partitions: pa.Schema, text_columns: Sequence[str], setting: str
) -> _Described | InputError:
    try:
        return _describe(found, partitions, text_columns, setting)
    except InputError as error:
        return error


def _describe(found: FoundFile, partitions: pa.Schema, text_columns: Sequence[str], setting: str) -> _Described:
    path = found.path
    try:
        stamp = _stamp(found)
        footer_sha256 = _footer_sha256(path, stamp.size, setting)
        with open_parquet(path) as file:
            schema = file.schema_arrow.remove_metadata()
            groups = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
            texts = [name for name in text_columns if name in schema.names and is_text(schema.field(name).type)]
            decoded = tuple(text_bytes(file, path, texts))
    except (OSError, pa.ArrowException) as error:
        raise InputError(
            f"`{setting}` must be readable Parquet files, but {path} gives: {first_line(error)}"
        ) from error
    stated = [name for name in partitions.names if name not in schema.names]
    return _Described(
        file=InputFile(
            path=path,
            size=stamp.size,
            mtime_ns=stamp.mtime_ns,
            version=stamp.version,
            footer_sha256=footer_sha256,
            rows=tuple(group.num_rows for group in groups),
            text_bytes=decoded,
            partitions=typed_partitions(found.partitions, partitions),
            source=found.source,
        ),
        schema=pa.schema([*schema, *(partitions.field(name) for name in stated)]),
    )


def _footer_sha256(path: str, size: int, setting: str) -> str:
    """The hash of the file's footer."""
    with open_input(place_of(path, setting)) as stream:
        stream.seek(max(0, size - 8))
        tail = stream.read(8)
        length = int.from_bytes(tail[:4], "little")
        if size == 0:
            raise InputError(f"`{setting}` must be Parquet files, but {path} is empty (0 bytes)")
        if tail[4:] != MAGIC or length > size - 8:
            kind = instead_of_parquet(path)
            found = f"is {kind}" if kind else "does not end as one: it is truncated or something else"
            raise InputError(f"`{setting}` must be Parquet files, but {path} {found}")
        stream.seek(size - 8 - length)
        return hashlib.sha256(stream.read(length)).hexdigest()
