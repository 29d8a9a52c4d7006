"""The parts of an annotate run: published whole, and believed only where they carry the digest of its plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ray_qa.data.parquet_opening import open_parquet
from ray_qa.data.parts import part_path
from ray_qa.errors import OutputError, first_line
from ray_qa.records import Reason
from ray_qa.runs.part_labels import Counts, read_label
from ray_qa.settings import ColumnSettings
from ray_qa.storage import places
from ray_qa.storage.remote import Place

READERS = 32
MAY_PASS: tuple[Reason, ...] = ("worker_died", "out_of_memory", "not_finite")
"""Reasons that another worker, device or precision may not have."""


def read_parts(folder: Place, rows_of: Mapping[int, int], plan: str) -> dict[int, Counts]:
    """The counts of those units whose parts were made by the plan; the parts of other plans count as not there.

    Args:
        folder: the output.
        rows_of: units whose parts are there, and how many rows each has.
        plan: the digest of the plan that is believed.

    Raises:
        OutputError: if a part cannot be read, or is not what the plan says.
    """

    def read(unit: int) -> Counts | None:
        path = part_path(folder, unit)
        label = read_label(path)
        if label.plan != plan:
            return None
        if label.counts.rows != rows_of[unit] or not label.counts.reconcile:
            raise OutputError(
                f"{path} must have {rows_of[unit]} rows, but has {label.counts.rows}; remove it and run again"
            )
        return label.counts

    with ThreadPoolExecutor(READERS) as pool:
        found = zip(rows_of, pool.map(read, rows_of), strict=True)
        return {unit: counts for unit, counts in found if counts is not None}


def units_to_retry(folder: Place, finished: Mapping[int, Counts], columns: ColumnSettings) -> frozenset[int]:
    """The units that hold rows which failed for a reason that may pass.

    Raises:
        OutputError: if a part cannot be read.
    """

    def may_pass(unit: int) -> bool:
        path = part_path(folder, unit)
        try:
            with open_parquet(str(path)) as part:
                reasons = _reasons_in(part, columns)
        except (OSError, pa.ArrowException, KeyError) as error:
            raise OutputError(f"{path} must be readable, but gives: {first_line(error)}") from error
        return any(pc.any(pc.is_in(column, pa.array(MAY_PASS))).as_py() for column in reasons)

    with_failures = [unit for unit, counts in finished.items() if counts.failed]
    with ThreadPoolExecutor(READERS) as pool:
        wanted = zip(with_failures, pool.map(may_pass, with_failures), strict=True)
        return frozenset(unit for unit, again in wanted if again)


def remove_strays(folder: Place, numbers: Iterable[int], plan: str) -> None:
    """Remove parts that are none of the plan's units': a replica of another run published them after it was replaced.

    Raises:
        OutputError: if one is no part that annotate wrote, or claims to be of this plan.
    """
    for number in numbers:
        path = part_path(folder, number)
        if read_label(path).plan == plan:
            raise OutputError(f"{path} must be of a unit of the plan, but is of none; remove it and run again")
        places.delete([path])


def _reasons_in(part: pq.ParquetFile, columns: ColumnSettings) -> list[pa.ChunkedArray]:
    """The reasons that a part states, in one column or in that of each question.

    Raises:
        KeyError, pyarrow.ArrowException: if it has none.
    """
    if not columns.wide:
        name = f"{columns.prefix}reason"
        return [part.read(columns=[name])[name]]
    names = [columns.prefix + question for question in columns.questions]
    answers = part.read(columns=names)
    return [pc.struct_field(answers[name], "reason") for name in names]
