"""One JSON object a row, in the order of rows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from ray_qa.outgoing.json_values import json_values
from ray_qa.runs.annotated_rows import Source, batches


def lines(source: Source, columns: Sequence[str]) -> Iterator[str]:
    """A line for every row, with all the columns."""
    for batch in batches(source, columns):
        values = [json_values(batch.column(name), name) for name in columns]
        for row in zip(*values, strict=True):
            yield json.dumps(dict(zip(columns, row, strict=True)), ensure_ascii=False, allow_nan=False) + "\n"
