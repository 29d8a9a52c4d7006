"""What a part says of itself, in its Parquet metadata: the plan it was made by, and what became of its rows."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from ray_qa.data.parquet_opening import open_parquet
from ray_qa.data.parts import LABEL, Compression, part_path
from ray_qa.errors import OutputError, first_line
from ray_qa.storage import places
from ray_qa.storage.remote import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How many rows came to which end. ``rows = answered + no_answer + failed``, always."""

    rows: int = 0
    answered: int = 0
    no_answer: int = 0
    failed: int = 0
    questions_cut: int = 0
    duplicates: int = 0
    """Rows that had their answer from an earlier row of their unit, which asks the same of the same context."""
    windows: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            rows=self.rows + other.rows,
            answered=self.answered + other.answered,
            no_answer=self.no_answer + other.no_answer,
            failed=self.failed + other.failed,
            questions_cut=self.questions_cut + other.questions_cut,
            duplicates=self.duplicates + other.duplicates,
            windows=self.windows + other.windows,
        )

    @property
    def reconcile(self) -> bool:
        """Whether every row came to exactly one end."""
        return self.rows == self.answered + self.no_answer + self.failed


@dataclass(frozen=True, slots=True, kw_only=True)
class PartLabel:
    """What a part says of itself: the plan it was made by, as a digest, and what became of its rows."""

    plan: str
    counts: Counts

    def as_metadata(self) -> dict[bytes, bytes]:
        """As a part's Parquet metadata holds it."""
        return {LABEL: json.dumps({"plan": self.plan, **asdict(self.counts)}).encode()}


def publish_part(folder: Place, unit: int, table: pa.Table, compression: Compression = "zstd") -> str:
    """Write a part in one step: its bytes are complete before the folder is touched. Gives its version in a bucket.

    Raises:
        OutputError: if the folder cannot be written to.
        StorageError: if its bucket does not let us.
    """
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression=compression)
    try:
        return places.publish(part_path(folder, unit), sink.getvalue().to_pybytes())
    except OSError as error:
        raise OutputError(f"`output` must be writable, but {folder} gives: {first_line(error)}") from error


def read_label(path: Place) -> PartLabel:
    """What a part says of itself, from its footer.

    Raises:
        OutputError: if it is no part that annotate wrote.
    """
    try:
        with open_parquet(str(path)) as part:
            values = json.loads(part.metadata.metadata[LABEL])
        return PartLabel(plan=values.pop("plan"), counts=Counts(**values))
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError, AttributeError) as error:
        raise OutputError(f"{path} must be a part that annotate wrote, but is not; remove it and run again") from error
