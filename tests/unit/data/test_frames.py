from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import datasets
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from ray_qa.data.frames import ArrowStream, DataSet, as_table
from ray_qa.errors import InputError

COLUMNS: dict[str, list[Any]] = {
    "question": ["Who?", None],
    "tags": [["a", "b"], None],
    "meta": [{"name": "x", "n": 1}, {"name": None, "n": 2}],
    "when": [datetime(2026, 1, 2, tzinfo=UTC), None],
    "ok": [True, None],
}
FRAMES = {
    "Arrow": pa.table(COLUMNS),
    "a batch": pa.RecordBatch.from_pydict(COLUMNS),
    "pandas": pd.DataFrame(COLUMNS),
    "polars": pl.DataFrame(COLUMNS),
    "datasets": datasets.Dataset.from_dict(COLUMNS),
    "a stream of datasets": datasets.Dataset.from_dict(COLUMNS).to_iterable_dataset(),
}


@pytest.mark.parametrize("library", FRAMES)
def test_tables_of_all_libraries_hold_the_same_rows(library: str) -> None:
    frame = FRAMES[library]
    assert isinstance(frame, ArrowStream | DataSet)
    table = as_table(frame, "rows")
    assert table.to_pydict() == COLUMNS
    assert table.schema.metadata is None
    assert "view" not in str(table.schema)


def test_rows_come_in_the_frame_s_own_order_and_choice() -> None:
    numbers = {"n": list(range(10))}
    shuffled = datasets.Dataset.from_dict(numbers).select([7, 2, 5])
    assert as_table(shuffled, "rows").to_pydict() == {"n": [7, 2, 5]}
    frame = pd.DataFrame(numbers)
    assert as_table(frame[frame.n > 7], "rows").to_pydict() == {"n": [8, 9]}  # with no column of the index
    assert as_table(pl.DataFrame(numbers)[8:], "rows").to_pydict() == {"n": [8, 9]}


def test_an_index_with_a_name_is_a_column() -> None:
    frame = pd.DataFrame({"n": [1, 2]}, index=pd.Index(["a", "b"], name="id"))
    assert as_table(frame, "rows").to_pydict() == {"n": [1, 2], "id": ["a", "b"]}


def test_a_missing_text_of_pandas_is_null() -> None:
    assert as_table(pd.DataFrame({"q": ["a", float("nan")]}), "rows").to_pydict() == {"q": ["a", None]}


def test_what_lies_in_memory_as_arrow_has_it_is_not_copied() -> None:
    table = pa.table({"text": ["x" * 1_000] * 10_000})
    before = pa.total_allocated_bytes()
    for frame in (table, datasets.Dataset(table)):
        again = as_table(frame, "rows")
        assert again.num_rows == 10_000
        assert pa.total_allocated_bytes() - before < 1_000_000


@pytest.mark.parametrize(
    ("value", "kind", "problem"),
    [
        (pd.DataFrame({"q": ["a", 1]}), "DataFrame", "Expected bytes, got a 'int' object"),
        (pl.Series(["a"]), "Series", "non-struct type"),
        ({"q": ["a"]}, "dict", "no table of Arrow, pandas, polars or datasets"),
        (pl.LazyFrame({"q": ["a"]}), "LazyFrame", "a query that has yet to be run; give what its .collect() gives"),
    ],
)
def test_what_arrow_cannot_hold_is_refused_in_one_line(value: object, kind: str, problem: str) -> None:
    with pytest.raises(InputError) as caught:
        as_table(value, "tables")
    (line,) = caught.value.problems
    assert line.startswith(f"`tables` must be a table that Arrow can hold, but {kind} gives: ")
    assert problem in line
    assert "\n" not in line
