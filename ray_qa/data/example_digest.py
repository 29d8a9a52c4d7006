"""A digest of all values of many tables, the same however they are cut into tables and chunks."""

from __future__ import annotations

import hashlib

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


class ValueDigest:
    """A SHA-256 for each stream of values, of lengths and of nulls, by the place in the schema they belong to."""

    def __init__(self) -> None:
        self._streams: dict[str, hashlib._Hash] = {}

    def add(self, table: pa.Table) -> None:
        """Take in the rows that follow. Columns hold texts, integers, and structs and lists of them."""
        for name in table.column_names:
            for chunk in table[name].chunks:
                self._add(name, chunk)

    def hexdigest(self) -> str:
        """The digest of everything so far."""
        whole = hashlib.sha256()
        for name, stream in sorted(self._streams.items()):
            whole.update(f"{name} {stream.hexdigest()}\n".encode())
        return whole.hexdigest()

    def _add(self, name: str, array: pa.Array) -> None:
        self._feed(f"{name} valid", pc.is_valid(array).to_numpy(zero_copy_only=False))
        if pa.types.is_struct(array.type):
            for field in array.type:
                self._add(f"{name}.{field.name}", pc.struct_field(array, field.name))
        elif pa.types.is_list(array.type):
            self._feed(f"{name} length", pc.fill_null(pc.list_value_length(array), -1).to_numpy())
            self._add(f"{name}[]", pc.list_flatten(array))
        elif pa.types.is_string(array.type):
            texts = pc.fill_null(array, "")
            self._feed(f"{name} length", pc.binary_length(texts).to_numpy())
            self._feed(name, _bytes_of(texts))
        else:
            self._feed(name, pc.fill_null(array, 0).to_numpy())

    def _feed(self, name: str, values: np.ndarray) -> None:
        self._streams.setdefault(name, hashlib.sha256()).update(np.ascontiguousarray(values).data)


def _bytes_of(texts: pa.StringArray) -> np.ndarray:
    """The bytes of all texts, one after the other."""
    _, offsets, data = texts.buffers()
    if data is None or not len(texts):
        return np.empty(0, np.uint8)
    at = np.frombuffer(offsets, np.int32)[[texts.offset, texts.offset + len(texts)]]
    return np.frombuffer(data, np.uint8)[at[0] : at[1]]
