"""Opening a Parquet file, wherever it lies."""

from __future__ import annotations

from typing import Any

import pyarrow.parquet as pq

from ray_qa.storage.objects import open_input
from ray_qa.storage.remote import Remote, place_of


def open_parquet(path: str, **options: Any) -> pq.ParquetFile:
    """A Parquet file by its path, mapped into memory, or by its URL, its column chunks fetched ahead in few requests.

    Args:
        path: an absolute path or a URL.
        options: as ``pyarrow.parquet.ParquetFile`` takes them.

    Raises:
        OSError, pyarrow.ArrowException: if it cannot be opened, or is none.
        StorageError: if its store cannot be reached, or lets us not in.
    """
    place = place_of(path, "input")
    if isinstance(place, Remote):
        return pq.ParquetFile(open_input(place), pre_buffer=True, **options)
    return pq.ParquetFile(path, memory_map=True, **options)
