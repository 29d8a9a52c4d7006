from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from ray_qa.data.partitions import partition_schema, typed_partitions


def test_columns_come_in_the_order_they_are_first_stated_and_lack_where_a_path_does_not_state_them() -> None:
    files = [(("year", "2023"),), (("lang", "de"), ("year", "2024"))]
    schema = partition_schema(files)
    assert schema == pa.schema([("year", pa.int32()), ("lang", pa.string())])
    assert [typed_partitions(stated, schema) for stated in files] == [
        (("year", 2023), ("lang", None)),
        (("year", 2024), ("lang", "de")),
    ]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "-2", None], pa.int32()),
        (["2147483647", "-2147483648"], pa.int32()),
        (["2147483648"], pa.int64()),
        (["9223372036854775808"], pa.string()),
        (["1", "x"], pa.string()),
        (["1.5"], pa.string()),
        (["²", "1"], pa.string()),
        ([""], pa.string()),
        ([None], pa.string()),
    ],
)
def test_values_are_integers_where_all_are(values: list[str | None], kind: pa.DataType) -> None:
    assert partition_schema([(("k", value),) for value in values]) == pa.schema([("k", kind)])


def test_pyarrow_reads_the_same_from_the_same_folders(tmp_path: Path) -> None:
    table = pa.table({"year": [2023, 2024, None], "lang": ["de", "x y", "1"], "n": [1, 2, 3]})
    partitioning = ds.partitioning(pa.schema([("year", pa.int32()), ("lang", pa.string())]), flavor="hive")
    ds.write_dataset(table, tmp_path, format="parquet", partitioning=partitioning)
    from ray_qa.data.file_search import find_files

    found = find_files([str(tmp_path)], "input").files
    schema = partition_schema(file.partitions for file in found)
    ours = sorted(
        (*dict(typed_partitions(file.partitions, schema)).values(), *pq.ParquetFile(file.path).read()["n"].to_pylist())
        for file in found
        if dict(file.partitions)["year"]
    )
    theirs = ds.dataset(tmp_path, partitioning="hive").to_table(columns=["year", "lang", "n"])
    assert schema.names == ["year", "lang"]
    assert theirs.schema.field("year").type == schema.field("year").type
    assert ours == sorted(tuple(row.values()) for row in theirs.to_pylist() if row["year"])
