"""Files that may be compressed as a whole, as their names tell, read as if they were not."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

import pyarrow as pa

from ray_qa.data.row_forms import compression_of
from ray_qa.storage.places import open_input, open_lines
from ray_qa.storage.remote import place_of

PIECE = 1024 * 1024


def open_plain(path: str, setting: str) -> BinaryIO:
    """A file, by its path or URL, to be read from its beginning; a broken archive gives ``OSError`` as it is read.

    Raises:
        OSError: if it cannot be read.
        StorageError: if its store cannot be reached, or lets us not in.
    """
    stream = open_lines(place_of(path, setting))
    compression = compression_of(path)
    if compression is None:
        return stream
    return io.BufferedReader(pa.CompressedInputStream(pa.PythonFile(stream, mode="r"), compression), PIECE)


def unpacked(content: bytes, path: str, most: int) -> bytes:
    """The first ``most`` bytes of what the file of a path holds, by its content.

    Raises:
        OSError: if it is a broken archive.
    """
    compression = compression_of(path)
    if compression is None:
        return content[:most]
    with closing(pa.CompressedInputStream(pa.BufferReader(content), compression)) as stream:
        return io.BufferedReader(stream, PIECE).read(most)


@contextmanager
def open_anywhere(path: str, setting: str) -> Iterator[pa.NativeFile]:
    """A file to be read in any order; one that is compressed is unpacked into a temporary file first.

    Raises:
        OSError, StorageError: as :func:`open_plain`.
    """
    if compression_of(path) is None:
        with open_input(place_of(path, setting)) as file:
            yield file
        return
    with TemporaryDirectory(prefix="ray_qa-") as folder:
        unpacked = Path(folder) / "unpacked"
        with closing(open_plain(path, setting)) as stream, unpacked.open("wb") as copy:
            shutil.copyfileobj(stream, copy, PIECE)
        with pa.OSFile(str(unpacked)) as file:
            yield file
