"""Text files as rows: the whole of each is one context, with the path that it has."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from ray_qa.data.file_search import FoundFile
from ray_qa.data.object_tables import CHUNK_BYTES
from ray_qa.data.partitions import PartitionValue, partition_schema, typed_partitions
from ray_qa.data.schemas import is_unicode
from ray_qa.data.unpacking import unpacked
from ray_qa.errors import InputError, first_line
from ray_qa.settings import PATH_COLUMN
from ray_qa.storage.places import open_lines
from ray_qa.storage.remote import place_of

FILES_AT_ONCE, READERS = 512, 32
MOST_BYTES = 256 * 1024 * 1024
"""A larger file is no text that anybody would have read whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextFiles:
    """Files that are a row each, in order."""

    files: tuple[FoundFile, ...]
    column: str
    """Which holds their texts."""


def tables_of_texts(texts: TextFiles, setting: str, leave_out: Callable[[str], None]) -> Iterator[pa.Table]:
    """The rows of text files, some after the other: path, text, and what the names of their folders state.

    A byte order mark is left out; all else of a text is as it stands.

    Args:
        texts: the files.
        setting: by which they are named, for messages.
        leave_out: told what is wrong with a file that is no text in UTF-8, in a line; it gives no row.

    Raises:
        InputError: about ``setting``, if a file cannot be read.
        StorageError: if its store cannot be reached, or lets us not in.
    """
    own = pa.schema([(PATH_COLUMN, pa.string()), (texts.column, pa.string())])
    stated = partition_schema(file.partitions for file in texts.files)
    added = pa.schema([field for field in stated if field.name not in own.names])
    schema = pa.schema([*own, *added])
    yield schema.empty_table()
    with ThreadPoolExecutor(READERS) as pool:
        for files in _some_at_once(texts.files):
            rows: list[dict[str, PartitionValue]] = []
            for file, text in zip(files, pool.map(lambda file: _text_of(file.path, setting), files), strict=True):
                if isinstance(text, InputError):
                    leave_out(str(text))
                    continue
                stated_here = dict(typed_partitions(file.partitions, added))
                rows.append({PATH_COLUMN: file.path, texts.column: text, **stated_here})
            yield pa.Table.from_pylist(rows, schema=schema)


def _some_at_once(files: Sequence[FoundFile]) -> Iterator[list[FoundFile]]:
    waiting: list[FoundFile] = []
    size = 0
    for file in files:
        waiting.append(file)
        size += _size(file)
        if len(waiting) >= FILES_AT_ONCE or size >= CHUNK_BYTES:
            yield waiting
            waiting, size = [], 0
    if waiting:
        yield waiting


def _size(file: FoundFile) -> int:
    if file.stored is not None:
        return file.stored.size
    try:
        return Path(file.path).stat().st_size
    except OSError:
        return 0  # reading it says what is wrong


def _text_of(path: str, setting: str) -> str | InputError:
    """The text of a file, or what is wrong with it, which is so as long as it does not change."""
    if not is_unicode(path):
        return InputError(f"`{setting}` must be files whose names are UTF-8, but {path!r} is none")
    try:
        with closing(open_lines(place_of(path, setting))) as stream:
            content = stream.read(MOST_BYTES + 1)
    except OSError as error:
        raise InputError(f"`{setting}` must be readable, but {path} gives: {first_line(error)}") from error
    try:
        content = unpacked(content, path, MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            return InputError(f"`{setting}` must be texts of {MOST_BYTES:,} bytes at most, but {path} is larger")
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        return InputError(
            f"`{setting}` must be texts in UTF-8, but line {line:,} of {path} is not ({error.reason}); convert it first"
        )
    except OSError as error:
        return InputError(f"`{setting}` must be readable, but {path} gives: {first_line(error)}")
