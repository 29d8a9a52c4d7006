from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ray_qa.annotation.parts import read_parts, remove_strays
from ray_qa.data.parts import LABEL, Compression, part_path
from ray_qa.data.units import Piece, Unit
from ray_qa.errors import OutputError
from ray_qa.runs.part_labels import Counts, PartLabel, publish_part, read_label

COUNTS = Counts(rows=3, answered=2, failed=1, windows=4)


def unit(number: int) -> Unit:
    return Unit(number=number, pieces=(Piece(file=0, row_group=0, first_row=0, rows=3),))


def part(counts: Counts = COUNTS, *, plan: str = "ours") -> Any:
    table = pa.table({"n": list(range(counts.rows))})
    return table.replace_schema_metadata(PartLabel(plan=plan, counts=counts).as_metadata())


def test_a_part_is_published_whole_and_again_in_its_place(tmp_path: Path) -> None:
    for counts in (COUNTS, replace(COUNTS, answered=3, failed=0)):
        publish_part(tmp_path, 0, part(counts))
        assert pq.read_table(part_path(tmp_path, 0)).column("n").to_pylist() == [0, 1, 2]
        assert read_label(part_path(tmp_path, 0)) == PartLabel(plan="ours", counts=counts)
    assert [path.name for path in tmp_path.iterdir()] == ["part-0000000.parquet"]


@pytest.mark.parametrize("compression", get_args(Compression))
def test_parts_are_compressed_as_is_asked_for_and_hold_the_same_rows(tmp_path: Path, compression: Compression) -> None:
    publish_part(tmp_path, 0, part(), compression)
    footer = pq.read_metadata(part_path(tmp_path, 0))
    assert footer.row_group(0).column(0).compression == compression.upper()
    assert pq.read_table(part_path(tmp_path, 0)).equals(part())
    assert read_parts(tmp_path, {0: 3}, "ours") == {0: COUNTS}


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=rf"^`output` must be writable, but {tmp_path}/gone gives: .*No such file"):
        publish_part(tmp_path / "gone", 0, part())


def test_the_counts_of_each_part_are_read_and_those_of_another_plan_are_as_if_not_there(tmp_path: Path) -> None:
    other = Counts(rows=3, no_answer=3, questions_cut=1, windows=3)
    publish_part(tmp_path, 0, part())
    publish_part(tmp_path, 1, part(plan="another's"))
    publish_part(tmp_path, 2, part(other))
    assert read_parts(tmp_path, {0: 3, 1: 3, 2: 3}, "ours") == {0: COUNTS, 2: other}
    assert read_parts(tmp_path, {}, "ours") == {}


def without_metadata(path: Path) -> None:
    pq.write_table(pa.table({"n": [1]}), path)


def with_metadata(text: str) -> Callable[[Path], None]:
    return lambda path: pq.write_table(part().replace_schema_metadata({LABEL: text}), path)


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


SPOILT = {
    "without metadata": without_metadata,
    "of a version without plans": with_metadata(json.dumps({"rows": 3})),
    "with other counts": with_metadata('{"plan": "ours", "lines": 3}'),
    "no object": with_metadata("[]"),
    "no JSON": with_metadata("{"),
    "truncated": truncated,
    "gone": Path.unlink,
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT)
def test_what_is_no_part_of_ours_is_named(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    publish_part(tmp_path, 0, part())
    spoil(part_path(tmp_path, 0))
    with pytest.raises(OutputError, match=r"part-0000000\.parquet must be a part that annotate wrote, but is not"):
        read_parts(tmp_path, {0: 3}, "ours")


@pytest.mark.parametrize("counts", [Counts(rows=2, answered=2), replace(COUNTS, answered=1)])
def test_a_part_whose_rows_do_not_reconcile_with_the_plan_is_named(tmp_path: Path, counts: Counts) -> None:
    publish_part(tmp_path, 0, part(counts))
    with pytest.raises(OutputError, match=rf"part-0000000\.parquet must have 3 rows, but has {counts.rows}; remove it"):
        read_parts(tmp_path, {0: 3}, "ours")


def test_parts_of_a_longer_run_are_removed_and_nothing_that_is_not_such_a_part(tmp_path: Path) -> None:
    publish_part(tmp_path, 7, part(plan="another's"))
    remove_strays(tmp_path, [7], "ours")
    assert list(tmp_path.iterdir()) == []

    publish_part(tmp_path, 7, part())
    with pytest.raises(OutputError, match=r"part-0000007\.parquet must be of a unit of the plan, but is of none"):
        remove_strays(tmp_path, [7], "ours")
    without_metadata(part_path(tmp_path, 7))
    with pytest.raises(OutputError, match=r"part-0000007\.parquet must be a part that annotate wrote"):
        remove_strays(tmp_path, [7], "ours")
    assert part_path(tmp_path, 7).exists()
