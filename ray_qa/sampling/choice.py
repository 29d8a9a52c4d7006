"""Which rows are taken: at random, or those nearest to the null threshold; of each stratum its share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ray_qa.runs.annotated_rows import Source, batches

BATCH_ROWS = 65_536
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadableRows:
    """R rows of an output that have not failed, in its order."""

    row_R: Ints
    """Their numbers, from 0."""
    distance_R: npt.NDArray[np.float64]
    """|null score − best span score − null threshold|: how near each is to the other outcome."""
    stratum_R: Ints
    without_scores: int = 0
    """Rows that have not failed either, but whose scores are no numbers."""


def readable_rows(source: Source, by: str | None) -> ReadableRows:
    """Look through an output's scores, and the column that rows are told apart by.

    Raises:
        InputError: if there is no such column.
    """
    columns = [source.ours(name) for name in ("start_score", "end_score", "null_score")]
    status = source.ours("status")
    if by is not None:
        source.check_column("by", by)
    threshold = float(source.output.settings.get("null_threshold", 0.0))
    rows, distances, strata = [], [], []
    seen: dict[str, int] = {}
    first = without_scores = 0
    read = dict.fromkeys([*columns, status, *([by] if by is not None else [])])
    for batch in batches(source, list(read), BATCH_ROWS):
        start, end, null = (batch.column(name).to_numpy(zero_copy_only=False) for name in columns)
        excess = null - (start + end)
        readable = np.flatnonzero(np.isfinite(excess))
        codes = np.zeros(batch.num_rows, np.int64) if by is None else _codes(batch.column(by), seen)
        rows.append(first + readable)
        distances.append(np.abs(excess[readable] - threshold))
        strata.append(codes[readable])
        has_failed = pc.is_in(batch.column(status), value_set=pa.array(["failed"])).to_numpy(zero_copy_only=False)
        without_scores += int((~np.isfinite(excess) & ~has_failed).sum())
        first += batch.num_rows
    return ReadableRows(
        row_R=np.concatenate(rows),
        distance_R=np.concatenate(distances),
        stratum_R=np.concatenate(strata),
        without_scores=without_scores,
    )


def drawn_at_random(rows: ReadableRows, wanted: int, seed: int) -> Ints:
    """The numbers of so many rows, rising; every row is as likely as any other, as far as whole numbers go."""
    random = np.random.default_rng(seed)
    return _of_each_stratum(rows, wanted, random.permutation(len(rows.row_R)))


def nearest_to_the_threshold(rows: ReadableRows, wanted: int) -> Ints:
    """The numbers of so many rows, rising; of equally near ones the first."""
    return _of_each_stratum(rows, wanted, np.argsort(rows.distance_R, kind="stable"))


def shares_of(counts: Ints, wanted: int) -> Ints:
    """How many are taken of each stratum, as near to its share as whole numbers are (largest remainders first)."""
    exact = counts * min(1.0, wanted / max(1, counts.sum()))
    whole: Ints = np.floor(exact + 1e-9).astype(np.int64)
    rest = min(wanted, int(counts.sum())) - int(whole.sum())
    whole[np.argsort(whole - exact, kind="stable")[:rest]] += 1
    return whole


def _of_each_stratum(rows: ReadableRows, wanted: int, order_R: Ints) -> Ints:
    """The first rows of each stratum in an order."""
    shares = shares_of(np.bincount(rows.stratum_R), wanted)
    stratum_in_order = rows.stratum_R[order_R]
    by_stratum = np.argsort(stratum_in_order, kind="stable")
    firsts = np.concatenate([[0], np.cumsum(np.bincount(stratum_in_order, minlength=len(shares)))])
    chosen = [
        by_stratum[first : first + share] for first, share in zip(firsts[:-1].tolist(), shares.tolist(), strict=True)
    ]
    return np.asarray(np.sort(rows.row_R[order_R[np.concatenate(chosen)]]), np.int64)


def _codes(values: pa.Array, seen: dict[str, int]) -> Ints:
    """A number for each value, the same in all batches; null is a value too."""
    encoded = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
    known = [seen.setdefault(repr(value), len(seen)) for value in [*encoded.dictionary.to_pylist(), None]]
    codes = encoded.indices.fill_null(len(known) - 1).to_numpy(zero_copy_only=False)
    return np.asarray(np.array(known, np.int64)[codes], np.int64)
