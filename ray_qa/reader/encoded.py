"""Encoded rows: flat arrays of token ids and character ranges that travel between processes as one Arrow value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import get_args

import numpy as np
import pyarrow as pa

from ray_qa.reader.arrays import Ints
from ray_qa.reader.windows import Windows, cut_windows
from ray_qa.records import Reason
from ray_qa.settings import WindowSettings

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

    def windows(self, settings: WindowSettings, special_tokens: int) -> Windows:
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

    def take(self, row_K: Ints) -> EncodedRows:
        """The rows ``row_K`` alone, in that order, with the texts they need."""
        question_Q, question_K = np.unique(self.question_R[row_K], return_inverse=True)
        context_C, context_K = np.unique(self.context_R[row_K], return_inverse=True)
        question_at = positions_of(self.question_offsets, question_Q)
        context_at = positions_of(self.context_offsets, context_C)
        return EncodedRows(
            question_R=question_K,
            question_offsets=_offsets_of(self.question_offsets, question_Q),
            question_ids=self.question_ids[question_at],
            question_cut_R=self.question_cut_R[row_K],
            context_R=context_K,
            context_offsets=_offsets_of(self.context_offsets, context_C),
            context_ids=self.context_ids[context_at],
            context_start=self.context_start[context_at],
            context_end=self.context_end[context_at],
            reason_R=self.reason_R[row_K],
        )

    def first_alike(self) -> Ints:
        """For each row the first one with its question and context, shape (R,); itself, where it cannot be scored."""
        pair_R = self.question_R.astype(np.int64) * len(self.context_offsets) + self.context_R
        unlike_any_R = -1 - np.arange(len(self))
        _, first_P, pair_of_R = np.unique(
            np.where(self.reason_R == NO_REASON, pair_R, unlike_any_R), return_index=True, return_inverse=True
        )
        first_R: Ints = first_P[pair_of_R]
        return first_R

    @property
    def duplicates(self) -> int:
        """How many rows ask what an earlier one asks of the same context."""
        return int((self.first_alike() < np.arange(len(self))).sum())

    def only(self, row_K: Ints) -> EncodedRows:
        """The rows ``row_K`` alone, in that order, with all texts as they lie: nothing of them is copied."""
        return replace(
            self,
            question_R=self.question_R[row_K],
            question_cut_R=self.question_cut_R[row_K],
            context_R=self.context_R[row_K],
            reason_R=self.reason_R[row_K],
        )

    def arrays(self) -> dict[str, Ints]:
        """Its arrays by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def to_ipc(self) -> bytes:
        """Serialise as an Arrow stream of one record."""
        return arrays_to_ipc(self.arrays())

    @classmethod
    def from_ipc(cls, value: bytes | pa.Buffer) -> EncodedRows:
        """Read what ``to_ipc`` gave."""
        return cls(**arrays_from_ipc(value))


def join_rows(parts: Sequence[EncodedRows]) -> EncodedRows:
    """The rows of all parts, one part after the other."""
    joined = {name: np.concatenate([part.arrays()[name] for part in parts]) for name in parts[0].arrays()}
    questions = np.repeat(_texts_before([part.question_offsets for part in parts]), [len(part) for part in parts])
    contexts = np.repeat(_texts_before([part.context_offsets for part in parts]), [len(part) for part in parts])
    joined["question_R"] = joined["question_R"] + questions
    joined["context_R"] = joined["context_R"] + contexts
    for name in ("question_offsets", "context_offsets"):
        lengths = np.concatenate([np.diff(getattr(part, name)) for part in parts])
        joined[name] = np.concatenate([[0], np.cumsum(lengths)])
    return EncodedRows(**joined)


def positions_of(offsets: Ints, which: Ints) -> Ints:
    """Where the values of the lists ``which`` lie in a flat array that ``offsets`` divides into lists."""
    lengths = np.diff(offsets)[which]
    first = np.cumsum(lengths) - lengths
    return np.repeat(offsets[which] - first, lengths) + np.arange(lengths.sum())


def arrays_to_ipc(arrays: Mapping[str, Ints], metadata: Mapping[bytes, bytes] | None = None) -> bytes:
    """Serialise arrays of any lengths as an Arrow stream of one record."""
    batch = pa.record_batch({name: _as_single_list(values) for name, values in arrays.items()})
    schema = batch.schema.with_metadata(metadata)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(batch.replace_schema_metadata(metadata))
    return bytes(sink.getvalue().to_pybytes())


def arrays_from_ipc(value: bytes | pa.Buffer) -> dict[str, Ints]:
    """Read what ``arrays_to_ipc`` gave, without copying it."""
    with pa.ipc.open_stream(value) as reader:
        batch = reader.read_next_batch()
    return {name: batch.column(name).flatten().to_numpy() for name in batch.schema.names}


def _texts_before(offsets: Sequence[Ints]) -> Ints:
    """How many texts the parts before each part hold together."""
    return np.cumsum([0, *(len(of_part) - 1 for of_part in offsets)])[:-1]


def _offsets_of(offsets: Ints, which: Ints) -> Ints:
    return np.concatenate([[0], np.cumsum(np.diff(offsets)[which])])


def _as_single_list(values: Ints) -> pa.Array:
    return pa.LargeListArray.from_arrays(pa.array([0, len(values)], pa.int64()), pa.array(values))
