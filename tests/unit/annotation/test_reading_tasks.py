"""Units on their way to the tasks that read them."""

from __future__ import annotations

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from ray_qa.annotation.reading_tasks import blocks_to_read, units_to_read
from ray_qa.data.row_groups import Source
from ray_qa.data.units import RowGroup, Unit, plan_units


@given(st.lists(st.integers(0, 3), min_size=1, max_size=40), st.integers(1, 9), st.integers(1, 30))
def test_a_task_reads_the_rows_that_the_plan_has_whatever_file_they_lie_in(
    files: list[int], unit_rows: int, rows: int
) -> None:
    sources = [Source(path=f"{file}.parquet", partitions=(("year", file), ("lang", None))) for file in range(4)]
    groups = [RowGroup(file=file, row_group=nth, rows=rows, text_bytes=0) for nth, file in enumerate(sorted(files))]
    planned = plan_units(groups, unit_rows)
    there = [(unit.number, rows_of(unit, sources)) for unit in planned]
    blocks = blocks_to_read(planned, sources)
    tasks = [units_to_read(block) for block in blocks]
    assert [(unit.number, rows_of(unit, task.sources)) for task in tasks for unit in task.units] == there
    whole = units_to_read(pa.concat_tables(blocks))
    assert [(unit.number, rows_of(unit, whole.sources)) for unit in whole.units] == there


def test_a_block_holds_no_more_than_its_own_units() -> None:
    sources = [Source(path=f"{file}.parquet") for file in range(1_000)]
    groups = [RowGroup(file=file, row_group=0, rows=10, text_bytes=0) for file in range(1_000)]
    few, many = blocks_to_read(plan_units(groups[:10], 10), sources), blocks_to_read(plan_units(groups, 10), sources)
    assert few[0] == many[0]


def rows_of(unit: Unit, sources: list[Source] | tuple[Source, ...]) -> list[tuple[Source, int, int, int]]:
    return [(sources[piece.file], piece.row_group, piece.first_row, piece.rows) for piece in unit.pieces]
