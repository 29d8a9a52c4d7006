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
        """Take in the rows that follow. Widths of texts and lists, and dictionaries, count for nothing."""
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
        kind = array.type
        if pa.types.is_dictionary(kind):
            return self._add(name, array.dictionary_decode())
        if isinstance(array, pa.ExtensionArray):
            return self._add(name, array.storage)
        valid = pc.is_valid(array).to_numpy(zero_copy_only=False)
        self._feed(f"{name} valid", valid)
        if pa.types.is_struct(kind):
            for field in kind:
                self._add(f"{name}.{field.name}", pc.struct_field(array, field.name))
        elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
            self._feed(f"{name} length", pc.fill_null(pc.list_value_length(array), -1).cast(pa.int32()).to_numpy())
            self._add(f"{name}[]", pc.list_flatten(array))
        elif (plain := _plain_bytes(kind)) is not None:
            texts = pc.fill_null(array.cast(plain), "" if pa.types.is_string(plain) else b"")
            self._feed(f"{name} length", pc.binary_length(texts).to_numpy())
            self._feed(name, _bytes_of(texts))
        elif pa.types.is_boolean(kind):
            self._feed(name, pc.fill_null(array, False).to_numpy(zero_copy_only=False))
        elif pa.types.is_primitive(kind) or pa.types.is_decimal(kind):
            self._feed(name, _fixed_width(array, valid))
        else:  # maps, intervals, and the like: rare enough to be slow with
            written = "".join(f"{value!r}\n" for value in array.to_pylist())
            self._feed(name, np.frombuffer(written.encode(errors="surrogatepass"), np.uint8))
        return None

    def _feed(self, name: str, values: np.ndarray) -> None:
        self._streams.setdefault(name, hashlib.sha256()).update(np.ascontiguousarray(values).data)


def _plain_bytes(kind: pa.DataType) -> pa.DataType | None:
    """What texts and bytes of any width are brought to; ``None`` for all else."""
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind):
        return pa.binary()
    return None


def _fixed_width(array: pa.Array, valid: np.ndarray) -> np.ndarray:
    """The bytes of all values, zeros for nulls: what lies under those is anything."""
    width = array.type.bit_width // 8
    data = array.buffers()[1]
    if data is None or not len(array):
        return np.empty(0, np.uint8)
    values = np.frombuffer(data, np.uint8)[array.offset * width : (array.offset + len(array)) * width]
    return np.where(np.repeat(valid, width), values, np.uint8(0))


def _bytes_of(texts: pa.StringArray | pa.BinaryArray) -> np.ndarray:
    """The bytes of all texts, one after the other."""
    _, offsets, data = texts.buffers()
    if data is None or not len(texts):
        return np.empty(0, np.uint8)
    at = np.frombuffer(offsets, np.int32)[[texts.offset, texts.offset + len(texts)]]
    return np.frombuffer(data, np.uint8)[at[0] : at[1]]
