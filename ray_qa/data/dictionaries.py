"""Texts that a Parquet file holds once and many rows share: how long they are, and how to read them without copies."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ray_qa.data.parquet_opening import open_parquet

MOST_BYTES = 4 * 1024 * 1024
"""Chunks up to this size may be nothing but a dictionary of long texts and references to it. In larger ones the
dictionary, which writers end at 1 MiB, is a small part; and reading as a dictionary what is none keeps all of it."""


def shared_texts(file: pq.ParquetFile, row_group: int, columns: Collection[str]) -> list[str]:
    """Those of the text columns ``columns`` whose texts a row group may hold once for many rows."""
    return [
        chunk.path_in_schema
        for chunk in _chunks(file, row_group)
        if chunk.path_in_schema in columns and chunk.has_dictionary_page and chunk.total_uncompressed_size <= MOST_BYTES
    ]


def as_dictionaries(file: pq.ParquetFile, path: str, columns: Collection[str]) -> pq.ParquetFile:
    """The same open file, its footer not parsed again, with columns read as dictionaries."""
    return open_parquet(path, metadata=file.metadata, read_dictionary=list(columns))


def text_bytes(file: pq.ParquetFile, path: str, columns: Collection[str]) -> Iterator[int]:
    """For each row group the bytes of its texts in the text columns ``columns``, as often as rows have them."""
    with as_dictionaries(file, path, columns) as dictionaries:
        for row_group in range(file.num_row_groups):
            shared = shared_texts(file, row_group, columns)
            plain = (
                chunk.total_uncompressed_size
                for chunk in _chunks(file, row_group)
                if chunk.path_in_schema in columns and chunk.path_in_schema not in shared
            )
            batches = dictionaries.iter_batches(row_groups=[row_group], columns=shared) if shared else ()
            yield sum(plain) + sum(_decoded_bytes(texts) for batch in batches for texts in batch.columns)


def _chunks(file: pq.ParquetFile, row_group: int) -> Iterator[pq.ColumnChunkMetaData]:
    group = file.metadata.row_group(row_group)
    return (group.column(number) for number in range(group.num_columns))


def _decoded_bytes(texts: pa.DictionaryArray) -> int:
    lengths = pc.binary_length(texts.dictionary)
    return int(pc.sum(lengths.take(texts.indices)).as_py() or 0)
