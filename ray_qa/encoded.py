"""Encoded rows: flat arrays of token ids and character ranges that travel between processes as one Arrow value."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ray_qa.config import ReadingSettings
from ray_qa.records import Reason
from ray_qa.windows import Windows, cut_windows

Ints = npt.NDArray[np.integer[Any]]
REASONS: tuple[Reason, ...] = get_args(Reason)
NO_REASON = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedRows:
    """R rows as token ids. A text that several rows share is held once.

    ``question_R`` and ``context_R`` say which of the texts a row has. The ids of text k lie at
    ``offsets[k]:offsets[k + 1]`` of the flat arrays. ``context_start`` and ``context_end`` are each context token's
    half-open range of Unicode code points in the original context, white space trimmed off both ends; an empty range
    can neither start nor end a span. ``reason_R`` is an index into ``REASONS``, or ``NO_REASON``: a row with a
    reason is not scored.
    """

    question_R: Ints
    question_offsets: Ints
    question_ids: Ints
    question_cut_R: Ints
    context_R: Ints
    context_offsets: Ints
    context_ids: Ints
    context_start: Ints
    context_end: Ints
    reason_R: Ints

    def __len__(self) -> int:
        return len(self.reason_R)

    def reason(self, row: int) -> Reason | None:
        """Why a row cannot be scored, if so."""
        code = int(self.reason_R[row])
        return None if code == NO_REASON else REASONS[code]

    def windows(self, settings: ReadingSettings, special_tokens: int) -> Windows:
        """Cut all rows that can be scored into windows."""
        question_tokens_R = np.diff(self.question_offsets)[self.question_R]
        context_tokens_R = np.diff(self.context_offsets)[self.context_R]
        return cut_windows(
            question_tokens_R.astype(np.int64),
            np.where(self.reason_R == NO_REASON, context_tokens_R, 0).astype(np.int64),
            max_tokens=settings.max_tokens,
            stride=settings.stride,
            special_tokens=special_tokens,
        )

    def to_ipc(self) -> bytes:
        """Serialise as an Arrow stream of one record."""
        arrays = {field.name: getattr(self, field.name) for field in fields(self)}
        batch = pa.record_batch({name: _as_single_list(values) for name, values in arrays.items()})
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batch.schema) as writer:
            writer.write_batch(batch)
        return bytes(sink.getvalue().to_pybytes())

    @classmethod
    def from_ipc(cls, value: bytes | pa.Buffer) -> EncodedRows:
        """Read what ``to_ipc`` gave."""
        with pa.ipc.open_stream(value) as reader:
            batch = reader.read_next_batch()
        return cls(**{name: batch.column(name).flatten().to_numpy() for name in batch.schema.names})


def _as_single_list(values: Ints) -> pa.Array:
    return pa.LargeListArray.from_arrays(pa.array([0, len(values)], pa.int64()), pa.array(values))
