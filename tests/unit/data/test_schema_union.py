from __future__ import annotations

import pyarrow as pa
import pytest

from ray_qa.data.schema_union import unify
from ray_qa.errors import InputError

TEXT, LARGE, DICTIONARY = pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())


def together(*kinds: pa.DataType) -> pa.DataType:
    files = [(f"{number}.parquet", pa.schema([("x", kind)])) for number, kind in enumerate(kinds)]
    return unify(files, lambda _: True).field("x").type


@pytest.mark.parametrize(
    ("first", "second", "both"),
    [
        (TEXT, LARGE, LARGE),
        (TEXT, DICTIONARY, TEXT),
        (LARGE, DICTIONARY, LARGE),
        (DICTIONARY, pa.dictionary(pa.int8(), TEXT), DICTIONARY),
        (pa.null(), TEXT, TEXT),
        (pa.null(), DICTIONARY, DICTIONARY),
        (pa.int32(), pa.int64(), pa.int64()),
        (pa.uint8(), pa.uint32(), pa.uint32()),
        (pa.float32(), pa.float64(), pa.float64()),
        (pa.binary(), pa.large_binary(), pa.large_binary()),
        (pa.list_(TEXT), pa.large_list(LARGE), pa.large_list(LARGE)),
        (pa.list_(pa.null()), pa.list_(TEXT), pa.list_(TEXT)),
        (
            pa.struct([("a", TEXT), ("b", pa.null())]),
            pa.struct([("b", pa.int64()), ("a", LARGE)]),
            pa.struct([("a", LARGE), ("b", pa.int64())]),
        ),
    ],
)
def test_what_loses_nothing_is_unified_whichever_comes_first(
    first: pa.DataType, second: pa.DataType, both: pa.DataType
) -> None:
    assert together(first, second) == both
    assert together(second, first) in (both, pa.struct([("b", pa.int64()), ("a", LARGE)]))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (pa.int64(), TEXT),
        (pa.int64(), pa.uint64()),
        (pa.int64(), pa.float64()),
        (pa.binary(), TEXT),
        (pa.timestamp("us"), pa.timestamp("ns")),
        (pa.timestamp("us"), pa.timestamp("us", "UTC")),
        (pa.date32(), pa.date64()),
        (pa.list_(TEXT), TEXT),
        (pa.list_(pa.int64()), pa.list_(TEXT)),
        (pa.struct([("a", TEXT)]), pa.struct([("b", TEXT)])),
        (DICTIONARY, pa.int64()),
    ],
)
def test_the_rest_is_refused_by_name_with_what_to_do(first: pa.DataType, second: pa.DataType) -> None:
    with pytest.raises(InputError) as refused:
        together(first, second)
    assert str(refused.value) == (
        f"`input` files must share one schema, but 1.parquet has 'x' as {second}, 0.parquet as {first}; "
        "bring the files to one, or leave the column out (annotate's --keep)"
    )


def test_columns_may_come_in_any_order_and_the_first_files_is_kept() -> None:
    first = pa.schema([("a", TEXT), ("b", pa.int64())])
    assert unify([("0", first), ("1", pa.schema(reversed(list(first))))], lambda _: True).equals(first)


def test_a_column_that_may_be_null_in_one_file_may_be_in_all() -> None:
    files = [(str(nullable), pa.schema([pa.field("x", TEXT, nullable=nullable)])) for nullable in (False, True)]
    assert unify(files, lambda _: True).field("x").nullable


@pytest.mark.parametrize(
    ("columns", "how"),
    [([], "1 has no column 'x', which 0 has"), (["x", "y"], "1 has a column 'y', which 0 has not")],
)
def test_a_column_that_only_some_have_is_refused_unless_it_is_not_read(columns: list[str], how: str) -> None:
    files = [("0", pa.schema([("x", TEXT)])), ("1", pa.schema([(name, TEXT) for name in columns]))]
    with pytest.raises(InputError, match=how):
        unify(files, lambda _: True)
    assert unify(files, lambda name: name == "z").names == ["x"]


def test_types_of_columns_that_are_not_read_do_not_matter() -> None:
    files = [("0", pa.schema([("x", TEXT), ("y", TEXT)])), ("1", pa.schema([("y", TEXT), ("x", pa.int64())]))]
    assert unify(files, lambda name: name == "y").equals(files[0][1])
