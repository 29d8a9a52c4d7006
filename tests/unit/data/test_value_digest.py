from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_qa.data.value_digest import ValueDigest

KINDS: dict[str, tuple[pa.DataType, list[Any]]] = {
    "text": (pa.string(), ["a", "", None, "größe"]),
    "bytes": (pa.binary(), [b"\x00", b"", None, b"\xff"]),
    "whole": (pa.int32(), [1, 0, None, -5]),
    "real": (pa.float64(), [1.5, 0.0, None, float("nan")]),
    "switch": (pa.bool_(), [True, False, None, True]),
    "day": (pa.date32(), [date(2026, 1, 1), None, date(1970, 1, 1), None]),
    "money": (pa.decimal128(9, 2), [Decimal("1.25"), Decimal(0), None, Decimal(-3)]),
    "list": (pa.list_(pa.string()), [["a", None], [], None, ["b"]]),
    "pairs": (pa.map_(pa.string(), pa.int64()), [[("a", 1)], [], None, [("b", None)]]),
    "struct": (pa.struct([("a", pa.int64()), ("b", pa.string())]), [{"a": 1, "b": "x"}, {}, None, {"b": ""}]),
    "code": (pa.dictionary(pa.int8(), pa.string()), ["x", "y", None, "x"]),
    "null": (pa.null(), [None] * 4),
    "fixed": (pa.binary(2), [b"ab", None, b"\x00\x00", b"cd"]),
}


def digest(*tables: pa.Table) -> str:
    found = ValueDigest()
    for table in tables:
        found.add(table)
    return found.hexdigest()


def column(kind: str) -> pa.Table:
    of, values = KINDS[kind]
    return pa.table({"c": pa.array(values, of)})


@pytest.mark.parametrize("kind", KINDS)
def test_how_rows_are_cut_does_not_matter(kind: str) -> None:
    table = column(kind)
    for cut in range(1, 4):
        assert digest(table.slice(0, cut), table.slice(cut)) == digest(table)
    assert digest(pa.concat_tables([table.slice(0, 3), table.slice(3)])) == digest(table)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "null"])
def test_every_value_and_its_place_matter(kind: str) -> None:
    of, values = KINDS[kind]
    seen = {digest(column(kind))}
    for place, value in enumerate(values):
        other = next(each for each in values if each != value or (value is None and each is not None))
        seen.add(digest(pa.table({"c": pa.array([*values[:place], other, *values[place + 1 :]], of)})))
    assert len(seen) == 1 + len(values)


def test_widths_of_texts_and_lists_do_not_matter() -> None:
    plain = column("text")
    for wide in (pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())):
        assert digest(plain.cast(pa.schema([("c", wide)]))) == digest(plain)
    assert digest(column("list").cast(pa.schema([("c", pa.large_list(pa.large_string()))]))) == digest(column("list"))


@given(st.lists(st.text() | st.none(), max_size=6), st.lists(st.text() | st.none(), max_size=6))
def test_texts_are_told_apart(first: list[str | None], second: list[str | None]) -> None:
    tables = [pa.table({"c": pa.array(values, pa.string())}) for values in (first, second)]
    assert (digest(tables[0]) == digest(tables[1])) == (first == second)
