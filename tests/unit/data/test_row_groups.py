from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ray_qa.data import row_groups
from ray_qa.data.row_groups import Source, read_units
from ray_qa.data.units import Piece, RowGroup, Unit, plan_units
from ray_qa.errors import InputError


def write(path: Path, first: int, rows: int, group: int) -> str:
    numbers = list(range(first, first + rows))
    table = pa.table({"n": numbers, "text": [f"row {number}" for number in numbers], "unread": numbers})
    pq.write_table(table, path, row_group_size=group)
    return str(path)


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """Rows 0 … 99 in three files, with row groups of 30, of 7, and of one."""
    return [
        write(tmp_path / "a.parquet", 0, 60, 30),
        write(tmp_path / "b.parquet", 60, 37, 7),
        write(tmp_path / "c.parquet", 97, 3, 1),
    ]


def planned(files: list[str], unit_rows: int) -> list[Unit]:
    return plan_units(
        [
            RowGroup(file=number, row_group=group, rows=metadata.row_group(group).num_rows, text_bytes=0)
            for number, metadata in enumerate(pq.read_metadata(path) for path in files)
            for group in range(metadata.num_row_groups)
        ],
        unit_rows,
    )


def read(files: Sequence[str], units: Sequence[Unit], columns: Sequence[str]) -> Iterator[pa.Table]:
    """``read_units`` with the columns in the types that they have in the last file."""
    there = pq.read_schema(files[-1])
    schema = pa.schema([there.field(name) for name in columns])
    return read_units([Source(path=path) for path in files], units, schema)


def numbers(tables: list[Any]) -> list[int]:
    return [number for table in tables for number in table["n"].to_pylist()]


def unit(*pieces: tuple[int, int, int, int]) -> Unit:
    names = ("file", "row_group", "first_row", "rows")
    return Unit(number=0, pieces=tuple(Piece(**dict(zip(names, piece, strict=True))) for piece in pieces))


@pytest.mark.parametrize("read_rows", [1, 4, 4_096])
@pytest.mark.parametrize("wanted", [1, 8, 13, 50])
def test_units_give_every_row_in_input_order(
    files: list[str], monkeypatch: pytest.MonkeyPatch, wanted: int, read_rows: int
) -> None:
    monkeypatch.setattr(row_groups, "READ_ROWS", read_rows)
    units = planned(files, wanted)
    tables = list(read(files, units, ["n", "text"]))
    assert [table.num_rows for table in tables] == [unit.rows for unit in units]
    assert numbers(tables) == list(range(100))
    assert [text for table in tables for text in table["text"].to_pylist()] == [f"row {n}" for n in range(100)]


def test_only_the_columns_that_are_asked_for_are_read_in_that_order(files: list[str]) -> None:
    (table,) = read(files, planned(files, 8)[:1], ["text", "n"])
    assert table.schema.names == ["text", "n"]


def test_units_may_be_skipped_as_a_resumed_run_does(files: list[str]) -> None:
    units = planned(files, 8)
    for pending in (units[1::2], units[-1:], units[3:9:4], units[::-1]):
        wanted = [number for unit in pending for number in _rows_before(units, unit)]
        assert numbers(list(read(files, pending, ["n"]))) == wanted


def _rows_before(units: list[Unit], unit: Unit) -> range:
    first = sum(earlier.rows for earlier in units[: unit.number])
    return range(first, first + unit.rows)


def test_a_file_is_opened_once_and_each_of_its_row_groups_is_one_pass(
    files: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, passes = [], []

    class Recording(pq.ParquetFile):  # type: ignore[misc]  # pyarrow ships no types
        def __init__(self, path: str, **options: Any) -> None:
            opened.append(Path(path).name)
            super().__init__(path, **options)

        def iter_batches(self, rows: int, *, row_groups: list[int], **options: Any) -> Any:
            passes.extend(row_groups)
            return super().iter_batches(rows, row_groups=row_groups, **options)

    monkeypatch.setattr(pq, "ParquetFile", Recording)
    assert numbers(list(read(files, planned(files, 8), ["n"]))) == list(range(100))
    assert opened == ["a.parquet", "b.parquet", "c.parquet"]
    assert passes == [0, 1, *range(6), *range(3)]


def test_rows_that_are_skipped_are_let_go_of_as_they_come(tmp_path: Path) -> None:
    path = str(tmp_path / "big.parquet")
    text = [f"{number:09d} " * 40 for number in range(60_000)]
    pq.write_table(pa.table({"text": text}), path, row_group_size=60_000, use_dictionary=False)
    script = (
        "import pyarrow as pa\n"
        "from ray_qa.data.row_groups import Source, read_units\n"
        "from ray_qa.data.units import Piece, Unit\n"
        "unit = Unit(number=0, pieces=(Piece(file=0, row_group=0, first_row=59_500, rows=500),))\n"
        f"(table,) = read_units([Source(path={path!r})], [unit], pa.schema([('text', pa.string())]))\n"
        "assert table['text'][-1].as_py().startswith('000059999')\n"
        "print(pa.default_memory_pool().max_memory())"
    )
    peak = int(subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True).stdout)
    assert peak < 60_000 * 400 / 2  # the row group's text is 24 MB


def test_empty_row_groups_between_others_are_no_obstacle(tmp_path: Path) -> None:
    schema = pa.schema([("n", pa.int64())])
    with pq.ParquetWriter(tmp_path / "a.parquet", schema) as writer:
        for values in ([1, 2], [], [3]):
            writer.write_table(pa.table({"n": values}, schema=schema), row_group_size=10)
    files = [str(tmp_path / "a.parquet")]
    assert numbers(list(read(files, planned(files, 10), ["n"]))) == [1, 2, 3]


def test_units_of_dictionary_encoded_text_from_several_row_groups_are_put_together(tmp_path: Path) -> None:
    kind = pa.dictionary(pa.int32(), pa.string())
    schema = pa.schema([("n", kind)])
    with pq.ParquetWriter(tmp_path / "a.parquet", schema) as writer:
        for values in (["a", "b"], ["c", "a"]):
            writer.write_table(pa.table({"n": pa.array(values).cast(kind)}))
    (table,) = read([str(tmp_path / "a.parquet")], [unit((0, 0, 1, 1), (0, 1, 0, 2))], ["n"])
    assert table["n"].to_pylist() == ["b", "c", "a"]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (unit((0, 0, 0, 31)), r"a\.parquet must have the rows that were planned, but has fewer: was it replaced\?"),
        (unit((0, 0, 40, 1)), r"a\.parquet must have the rows that were planned, but has fewer"),
        (unit((0, 7, 0, 1)), r"`input` must be readable Parquet files, but .*a\.parquet gives: .*7"),
    ],
)
def test_a_file_that_was_replaced_by_a_shorter_one_is_named(files: list[str], wanted: Unit, message: str) -> None:
    with pytest.raises(InputError, match=message):
        list(read(files, [wanted], ["n"]))


def test_a_file_that_has_gone_or_is_damaged_is_named(files: list[str]) -> None:
    damaged = Path(files[1])
    content = bytearray(damaged.read_bytes())
    content[4:200] = b"\xff" * 196
    damaged.write_bytes(content)
    Path(files[0]).unlink()
    for number, name in ((0, "a.parquet"), (1, "b.parquet")):
        with pytest.raises(InputError, match=rf"`input` must be readable Parquet files, but .*{name} gives: "):
            list(read(files, [unit((number, 0, 0, 5))], ["n"]))


def peak_of(script: str) -> int:
    """Most bytes that Arrow held while a script ran in a process of its own."""
    lines = f"import pyarrow as pa\n{script}\nprint(pa.default_memory_pool().max_memory())"
    return int(subprocess.run([sys.executable, "-c", lines], capture_output=True, check=True, text=True).stdout)


def test_long_passages_that_rows_share_are_held_once_until_a_unit_is_given_out(tmp_path: Path) -> None:
    path = str(tmp_path / "shared.parquet")
    passages = [chr(97 + number) * 100_000 for number in range(8)]
    pq.write_table(pa.table({"text": [passages[number // 500] for number in range(4_000)]}), path)
    peak = peak_of(
        "from ray_qa.data.row_groups import Source, read_units\n"
        "from ray_qa.data.units import Piece, Unit\n"
        "unit = Unit(number=0, pieces=(Piece(file=0, row_group=0, first_row=3_900, rows=40),))\n"
        f"(table,) = read_units([Source(path={path!r})], [unit], pa.schema([('text', pa.string())]))\n"
        "assert table['text'].to_pylist() == ['h' * 100_000] * 40"
    )
    assert peak < 40_000_000  # the row group decodes to 400 MB


def test_rows_of_long_texts_are_decoded_a_few_at_a_time(tmp_path: Path) -> None:
    path = str(tmp_path / "long.parquet")
    text = [f"{number:09d} " * 10_000 for number in range(2_000)]
    pq.write_table(pa.table({"text": text}), path, use_dictionary=False, write_batch_size=16)
    peak = peak_of(
        "from ray_qa.data.row_groups import Source, read_units\n"
        "from ray_qa.data.units import Piece, Unit\n"
        "unit = Unit(number=0, pieces=(Piece(file=0, row_group=0, first_row=1_990, rows=10),))\n"
        f"(table,) = read_units([Source(path={path!r})], [unit], pa.schema([('text', pa.string())]))\n"
        "assert table.num_rows == 10"
    )
    assert peak < 100_000_000  # the row group decodes to 200 MB


def test_rows_come_in_the_types_that_are_asked_for_whatever_each_file_has(tmp_path: Path) -> None:
    wanted = pa.schema([("text", pa.large_string()), ("n", pa.int64()), ("note", pa.string())])
    tables = [
        pa.table({"n": pa.array([1], pa.int32()), "text": ["a"], "note": pa.array([None], pa.null())}),
        pa.table({"note": ["x"], "text": pa.array(["b"]).dictionary_encode(), "n": [2], "unread": [0]}),
    ]
    sources = []
    for number, table in enumerate(tables):
        sources.append(Source(path=str(tmp_path / f"{number}.parquet")))
        pq.write_table(table, sources[-1].path)
    both = unit((0, 0, 0, 1), (1, 0, 0, 1))
    (table,) = read_units(sources, [both], wanted)
    assert table.schema.equals(wanted)
    assert table.to_pylist() == [{"text": "a", "n": 1, "note": None}, {"text": "b", "n": 2, "note": "x"}]


def test_columns_that_a_files_folders_state_are_the_same_in_every_row(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", 0, 3, 3)
    schema = pa.schema([("year", pa.int32()), ("n", pa.int64()), ("lang", pa.string())])
    source = Source(path=path, partitions=(("year", 2023), ("lang", None)))
    (table,) = read_units([source], [unit((0, 0, 0, 3))], schema)
    assert table.schema.equals(schema)
    assert table.to_pylist() == [{"year": 2023, "n": number, "lang": None} for number in range(3)]


def test_scattered_rows_of_a_row_group_are_those_that_are_named(files: list[str]) -> None:
    scattered = unit((0, 0, 3, 1), (0, 0, 5, 2), (0, 0, 29, 1), (0, 1, 0, 1), (1, 2, 6, 1), (2, 1, 0, 1))
    assert numbers(list(read(files, [scattered], ["n"]))) == [3, 5, 6, 29, 30, 80, 98]
    backwards = [unit((0, 0, 20, 1)), unit((0, 0, 4, 1), (0, 0, 21, 3))]
    assert numbers(list(read(files, backwards, ["n"]))) == [20, 4, 21, 22, 23]
