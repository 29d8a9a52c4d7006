"""The Parquet files to read: finding them, describing them from their footers, refusing what cannot be read."""

from __future__ import annotations

import glob
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ray_qa.errors import InputError, first_line

MAGIC = b"PAR1"


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFile:
    """A Parquet file as its footer tells: enough to plan, and to see whether it changed."""

    path: str
    size: int
    mtime_ns: int
    footer_sha256: str
    rows: tuple[int, ...]
    """Rows of each row group."""
    text_bytes: tuple[int, ...]
    """Uncompressed bytes of the question and context columns of each row group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """All files of a corpus, in order, and the schema they share."""

    files: tuple[InputFile, ...]
    schema: pa.Schema

    @property
    def rows(self) -> int:
        """Rows of the corpus."""
        return sum(sum(file.rows) for file in self.files)


def read_inputs(
    patterns: Sequence[str], text_columns: Sequence[str], known: Mapping[str, InputFile] | None = None
) -> Inputs:
    """Find and describe the input files.

    Args:
        patterns: files, folders or globs.
        text_columns: the columns whose bytes count as text.
        known: descriptions of an earlier run by path; used where size and modification time are unchanged.

    Raises:
        InputError: if a file is missing, is no Parquet file, is truncated, has another schema, or all are empty.
    """
    files: list[InputFile] = []
    schema: pa.Schema | None = None
    trusted = dict(known or {})
    for path in find_files(patterns, "input"):
        stat = Path(path).stat()
        earlier = trusted.get(path)
        if schema is not None and earlier and (earlier.size, earlier.mtime_ns) == (stat.st_size, stat.st_mtime_ns):
            files.append(earlier)
            continue
        metadata, footer_sha256 = _read_footer(path, stat.st_size)
        own = metadata.schema.to_arrow_schema().remove_metadata()
        if schema is None:
            schema = own
        elif not own.equals(schema):
            raise InputError(
                f"`input` files must share one schema, but {_first_difference(files[0].path, schema, path, own)}"
            )
        described = _describe(path, stat.st_size, stat.st_mtime_ns, footer_sha256, metadata, text_columns)
        if not files and described != earlier:
            trusted = {}  # the other files were described for another schema, or other text columns
        files.append(described)
    inputs = Inputs(files=tuple(files), schema=schema)
    if inputs.rows == 0:
        raise InputError(f"`input` must have rows, but {', '.join(file.path for file in files[:3])} has none")
    return inputs


def find_files(patterns: Sequence[str], setting: str, suffixes: Sequence[str] = (".parquet",)) -> list[str]:
    """Expand files, folders and globs to absolute paths, folders and globs in name order.

    In folders the files with one of ``suffixes`` count; names that begin with ``_`` or ``.`` are passed over.

    Raises:
        InputError: if a pattern leads to no file, or two lead to the same.
    """
    found: list[str] = []
    for pattern in patterns:
        if "://" in pattern:
            raise InputError(
                f"`{setting}` must be paths this machine can open, but {pattern} is a URL; copy or mount it first"
            )
        matches = [str(path.resolve()) for path in _matches(Path(pattern).expanduser(), suffixes)]
        if not matches:
            names = ", ".join(f"*{suffix}" for suffix in suffixes)
            kind = "Parquet" if suffixes == (".parquet",) else "Parquet, SQuAD JSON or JSONL"
            there = f"no {kind} file ({names})" if Path(pattern).is_dir() else "nothing"
            raise InputError(f"`{setting}` must lead to {kind} files, but {pattern} leads to {there}")
        found += matches
    twice = next((path for path in found if found.count(path) > 1), None) if len(set(found)) < len(found) else None
    if twice:
        raise InputError(f"`{setting}` must name every file once, but names {twice} twice")
    return found


def check_apart(files: Iterable[str], patterns: Sequence[str], output: Path, setting: str) -> None:
    """Check that the output would not become input of the next run, and that clearing it takes no input away.

    Raises:
        InputError: if the output lies in a folder that is read, or a file that is read lies in the output.
    """
    folders = [Path(pattern).expanduser().resolve() for pattern in patterns if Path(pattern).expanduser().is_dir()]
    around = next((folder for folder in folders if output.is_relative_to(folder)), None)
    if around:
        raise InputError(f"`output` must lie outside the folders that are read, but {output} is in {around}")
    within = next((file for file in files if Path(file).is_relative_to(output)), None)
    if within:
        raise InputError(f"`{setting}` must lie outside the output, but {within} is in {output}")


def _matches(pattern: Path, suffixes: Sequence[str]) -> list[Path]:
    if pattern.is_dir():
        files = sorted(path for path in pattern.rglob("*") if path.suffix in suffixes and path.is_file())
        return [path for path in files if not any(part[0] in "._" for part in path.relative_to(pattern).parts)]
    if pattern.exists():
        return [pattern]
    return [Path(match) for match in sorted(glob.glob(str(pattern), recursive=True)) if Path(match).is_file()]


def _read_footer(path: str, size: int) -> tuple[pq.FileMetaData, str]:
    """The file's metadata and the hash of its footer bytes."""
    try:
        with Path(path).open("rb") as stream:
            stream.seek(max(0, size - 8))
            tail = stream.read(8)
            length = int.from_bytes(tail[:4], "little")
            if size == 0:
                raise InputError(f"`input` must be Parquet files, but {path} is empty (0 bytes)")
            if tail[4:] != MAGIC or length > size - 8:
                raise InputError(
                    f"`input` must be Parquet files, but {path} does not end as one: it is truncated or something else"
                )
            stream.seek(size - 8 - length)
            footer = stream.read(length)
        return pq.read_metadata(path), hashlib.sha256(footer).hexdigest()
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"`input` must be readable Parquet files, but {path} gives: {first_line(error)}") from error


def _describe(
    path: str, size: int, mtime_ns: int, footer_sha256: str, metadata: pq.FileMetaData, text_columns: Sequence[str]
) -> InputFile:
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    return InputFile(
        path=path,
        size=size,
        mtime_ns=mtime_ns,
        footer_sha256=footer_sha256,
        rows=tuple(group.num_rows for group in groups),
        text_bytes=tuple(
            sum(
                group.column(column).total_uncompressed_size
                for column in range(group.num_columns)
                if group.column(column).path_in_schema in text_columns
            )
            for group in groups
        ),
    )


def _first_difference(first_path: str, first: pa.Schema, path: str, own: pa.Schema) -> str:
    for field in first:
        if field.name not in own.names:
            return f"{path} has no column {field.name!r}, which {first_path} has"
        if own.field(field.name).type != field.type:
            return f"{path} has {field.name!r} as {own.field(field.name).type}, {first_path} as {field.type}"
    extra = [name for name in own.names if name not in first.names]
    if extra:
        return f"{path} has a column {extra[0]!r}, which {first_path} has not"
    return f"{path} has its columns in another order than {first_path}, or other nullability"
