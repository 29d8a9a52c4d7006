"""The encoded training rows on disk, and the labelled windows that workers pick from them.

Shapes: R rows, W windows of the whole set, B windows of a batch.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from ray_qa.finetuning.label_counts import LabelCounts
from ray_qa.reader.arrays import Ints
from ray_qa.reader.collate import Batch, Template, collate
from ray_qa.reader.encoded import EncodedRows, arrays_from_ipc, arrays_to_ipc, join_rows
from ray_qa.reader.labels import Labels, label_positions, labels_in_windows
from ray_qa.reader.windows import Windows
from ray_qa.settings import WindowSettings
from ray_qa.storage.places import open_input, publish
from ray_qa.storage.remote import Place

COUNTS_KEY = b"ray_qa"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRows:
    """Encoded rows with the token runs of their gold answers.

    The answers of row r are ``gold_offsets[r]:gold_offsets[r + 1]``; an unanswerable row has none. ``gold_first`` and
    ``gold_last`` are positions among the row's context tokens. ``row_R`` is the row's number in the training data.
    """

    encoded: EncodedRows
    row_R: Ints
    gold_offsets: Ints
    gold_first: Ints
    gold_last: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledBatch:
    """The arrays of one pass, and for each window the positions of its answer's first and last token, or the null's."""

    batch: Batch
    start_positions_B: Ints
    end_positions_B: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSet:
    """All training rows, memory-mapped, and their windows."""

    shards: tuple[TrainingRows, ...]
    windows: Windows
    """``row`` counts rows over all shards."""
    gold_offsets: Ints
    gold_first: Ints
    gold_last: Ints
    row_R: Ints
    first_row_S: Ints
    """The first row of each shard; one more entry ends the last."""

    def label(self, *, seed: int, epoch: int) -> Labels:
        """Draw a gold answer for every row and find it in the row's windows.

        A window that does not hold the whole answer, and every window of an unanswerable row, is labelled as null.
        """
        gold_W = choose_golds(self.gold_offsets, seed=seed, epoch=epoch)[self.windows.row]
        has_gold_W = gold_W >= 0
        first_W = np.where(has_gold_W, self.gold_first[gold_W] if len(self.gold_first) else 0, -1)
        last_W = np.where(has_gold_W, self.gold_last[gold_W] if len(self.gold_last) else 0, -1)
        return labels_in_windows(first_W, last_W, self.windows)

    def batch(self, window_B: Ints, labels: Labels, template: Template) -> LabelledBatch:
        """Read the windows ``window_B`` from the shards and put them together with their labels."""
        row_K, row_B = np.unique(self.windows.row[window_B], return_inverse=True)
        windows = Windows(
            row=row_B,
            start=self.windows.start[window_B],
            stop=self.windows.stop[window_B],
            tokens=self.windows.tokens[window_B],
        )
        encoded = self._rows(row_K)
        batch = collate(encoded, windows, np.arange(len(window_B)), template)
        question_tokens_B = np.diff(encoded.question_offsets)[encoded.question_R[row_B]]
        labels_B = Labels(first_W=labels.first_W[window_B], last_W=labels.last_W[window_B])
        positions = label_positions(labels_B, windows, question_tokens_B, template)
        return LabelledBatch(
            batch=batch, start_positions_B=positions.start_positions_W, end_positions_B=positions.end_positions_W
        )

    def _rows(self, row_K: Ints) -> EncodedRows:
        """The encoded rows ``row_K``, which ascend."""
        shard_K = np.searchsorted(self.first_row_S, row_K, side="right") - 1
        return join_rows(
            [
                self.shards[shard].encoded.take(row_K[shard_K == shard] - self.first_row_S[shard])
                for shard in np.unique(shard_K)
            ]
        )


def choose_golds(gold_offsets: Ints, *, seed: int, epoch: int) -> Ints:
    """Draw one gold answer for every row, anew each epoch.

    Args:
        gold_offsets: the answers of row r are ``gold_offsets[r]:gold_offsets[r + 1]``; shape (R + 1,).
        seed: the run's seed.
        epoch: which pass over the rows, from 0.

    Returns:
        The index of each row's answer, −1 for a row without any; shape (R,).
    """
    count_R = np.diff(gold_offsets)
    draw_R = np.random.default_rng([seed, epoch, 0]).random(len(count_R))
    return np.where(count_R > 0, gold_offsets[:-1] + (draw_R * count_R).astype(np.int64), -1)


def write_shard(path: Place, rows: TrainingRows, counts: LabelCounts) -> None:
    """Publish a shard; its metadata carries the counts."""
    golds = {name: getattr(rows, name) for name in ("row_R", "gold_offsets", "gold_first", "gold_last")}
    metadata = {COUNTS_KEY: json.dumps(asdict(counts)).encode()}
    publish(path, arrays_to_ipc({**rows.encoded.arrays(), **golds}, metadata))


def shard_counts(path: Place) -> LabelCounts:
    """The counts that a shard carries."""
    with open_input(path) as source, pa.ipc.open_stream(source) as reader:
        return LabelCounts(**json.loads(reader.schema.metadata[COUNTS_KEY]))


def open_training_set(paths: list[Path], settings: WindowSettings, special_tokens: int) -> TrainingSet:
    """Map shards into memory and cut their rows into windows; ids stay on disk until a batch picks them."""
    shards = tuple(_open_shard(path) for path in paths)
    cut = [shard.encoded.windows(settings, special_tokens) for shard in shards]
    first_row_S = np.cumsum([0, *(len(shard.row_R) for shard in shards)])
    lengths = np.concatenate([np.diff(shard.gold_offsets) for shard in shards])
    return TrainingSet(
        shards=shards,
        windows=Windows(
            row=np.concatenate([windows.row + first for windows, first in zip(cut, first_row_S[:-1], strict=True)]),
            start=np.concatenate([windows.start for windows in cut]),
            stop=np.concatenate([windows.stop for windows in cut]),
            tokens=np.concatenate([windows.tokens for windows in cut]),
        ),
        gold_offsets=np.concatenate([[0], np.cumsum(lengths)]),
        gold_first=np.concatenate([shard.gold_first for shard in shards]),
        gold_last=np.concatenate([shard.gold_last for shard in shards]),
        row_R=np.concatenate([shard.row_R for shard in shards]),
        first_row_S=first_row_S,
    )


def _open_shard(path: Path) -> TrainingRows:
    arrays = arrays_from_ipc(pa.memory_map(str(path)).read_buffer())
    golds = {name: arrays.pop(name) for name in ("row_R", "gold_offsets", "gold_first", "gold_last")}
    return TrainingRows(encoded=EncodedRows(**arrays), **golds)
