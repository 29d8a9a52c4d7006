from __future__ import annotations

import base64
import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_qa.errors import InputError
from ray_qa.exporting.config import ExportConfig
from ray_qa.exporting.export import export
from ray_qa.outgoing.json_values import check_values, json_values
from tests.unit.exporting.annotated import ANSWERS, ROWS, write_output

MOMENT = datetime(2026, 11, 27, 8, 5, 30, 250_000)
TEXTS = st.text()


def as_json(values: list[Any], kind: pa.DataType) -> Any:
    if pa.types.is_dictionary(kind):
        array = pa.array(values, kind.value_type).dictionary_encode()
    else:
        array = pa.array(values, kind)
    found = json_values(array, "x")
    return json.loads(json.dumps(found, allow_nan=False))


@pytest.mark.parametrize(
    ("kind", "values", "expected"),
    [
        (pa.null(), [None], [None]),
        (pa.bool_(), [True, None], [True, None]),
        (pa.uint64(), [2**64 - 1], [2**64 - 1]),
        (pa.float32(), [0.5, float("nan"), float("inf")], [0.5, None, None]),
        (pa.float16(), [0.5], [0.5]),
        (pa.decimal128(9, 2), [Decimal("1.50")], ["1.50"]),
        (pa.string(), ["é😀", None], ["é😀", None]),
        (pa.large_string(), [""], [""]),
        (pa.string_view(), ["view"], ["view"]),
        (pa.dictionary(pa.int8(), pa.string()), ["a", None, "a"], ["a", None, "a"]),
        (pa.dictionary(pa.int8(), pa.timestamp("s")), [MOMENT.replace(microsecond=0)], ["2026-11-27T08:05:30"]),
        (pa.binary(), [b"\xff\x00"], ["/wA="]),
        (pa.binary(2), [b"\xff\x00"], ["/wA="]),
        (pa.date32(), [date(1969, 12, 31)], ["1969-12-31"]),
        (pa.date64(), [date(2026, 11, 27)], ["2026-11-27"]),
        (pa.time32("s"), [time(8, 5)], ["08:05:00"]),
        (pa.time64("us"), [time(8, 5, 30, 250_000)], ["08:05:30.250000"]),
        (pa.timestamp("s"), [datetime(1901, 2, 3)], ["1901-02-03T00:00:00"]),
        (pa.timestamp("ms"), [MOMENT], ["2026-11-27T08:05:30.250"]),
        (pa.timestamp("ns", tz="Europe/Berlin"), [MOMENT.replace(tzinfo=UTC)], ["2026-11-27T08:05:30.250000000Z"]),
        (pa.timestamp("s"), [10**12], ["33658-09-27T01:46:40"]),
        (pa.duration("ms"), [timedelta(seconds=-90.5), timedelta(days=1)], ["-PT90.500S", "PT86400S"]),
        (pa.list_(pa.timestamp("s")), [[datetime(2000, 1, 1), None], []], [["2000-01-01T00:00:00", None], []]),
        (pa.large_list(pa.binary()), [[b"a"]], [["YQ=="]]),
        (pa.list_(pa.date32(), 1), [[date(2000, 1, 1)]], [["2000-01-01"]]),
        (pa.list_(pa.dictionary(pa.int8(), pa.string())), [["a", "b"]], [["a", "b"]]),
        (
            pa.struct([("when", pa.timestamp("s")), ("n", pa.list_(pa.float64()))]),
            [{"when": datetime(2000, 1, 1), "n": [float("nan")]}, None],
            [{"when": "2000-01-01T00:00:00", "n": [None]}, None],
        ),
        (
            pa.map_(pa.string(), pa.binary()),
            [[("k", b"a"), ("k", None)]],
            [[{"key": "k", "value": "YQ=="}, {"key": "k", "value": None}]],
        ),
    ],
    ids=str,
)
def test_values_of_every_kind_have_a_form_in_json(kind: pa.DataType, values: list[Any], expected: list[Any]) -> None:
    check_values(pa.schema([("x", kind)]), ["x"])
    assert as_json(values, kind) == expected


@given(st.datetimes(), st.sampled_from(["s", "ms", "us"]))
def test_python_reads_the_moments_back(moment: datetime, unit: str) -> None:
    kept = {"s": moment.replace(microsecond=0), "ms": moment.replace(microsecond=moment.microsecond // 1000 * 1000)}
    wanted = kept.get(unit, moment)
    (text,) = as_json([wanted], pa.timestamp(unit))
    assert datetime.fromisoformat(text) == wanted


@given(st.lists(st.binary()))
def test_bytes_come_back(values: list[bytes]) -> None:
    assert [base64.b64decode(each) for each in as_json(values, pa.binary())] == values


def test_bytes_that_are_no_text_are_replaced_and_that_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "ray_qa")
    column = pa.Array.from_buffers(pa.string(), 3, pa.array([b"ok", b"b\xffd", None], pa.binary()).buffers())
    nested = pa.StructArray.from_arrays([column, column], ["a", "b"])
    for _ in range(2):
        assert json_values(column, "broken") == ["ok", "b\ufffdd", None]
    assert json_values(nested, "nested")[1] == {"a": "b\ufffdd", "b": "b\ufffdd"}
    replaced = "holds bytes that are not UTF-8; they are replaced by U+FFFD"
    assert caplog.messages == [f"'broken' {replaced}", f"'nested' {replaced}"]


def test_what_json_has_nothing_for_is_refused_by_name() -> None:
    schema = pa.schema([("fine", pa.int8()), ("x", pa.list_(pa.month_day_nano_interval()))])
    with pytest.raises(InputError) as caught:
        check_values(schema, ["fine", "x"])
    assert caught.value.problems == (
        "`columns` must be such as JSON can have, but 'x' holds month_day_nano_interval; leave it out",
    )
    check_values(schema, ["fine"])


def test_every_row_is_a_line_with_all_columns(annotated: Path, tmp_path: Path) -> None:
    export(ExportConfig(input=str(annotated), to="jsonl", output=str(tmp_path / "out.jsonl")))
    lines = (tmp_path / "out.jsonl").read_text("utf-8").split("\n")
    assert lines.pop() == ""
    assert [json.loads(line) for line in lines] == pq.read_table(annotated).to_pylist()


def test_columns_can_be_chosen_and_keep_their_order(annotated: Path, tmp_path: Path) -> None:
    config = ExportConfig(
        input=str(annotated), to="jsonl", output=str(tmp_path / "out.jsonl"), columns=("answer", "id")
    )
    export(config)
    assert (tmp_path / "out.jsonl").read_text().splitlines()[1] == '{"id": "b", "answer": "in 1902"}'


def test_n_best_is_a_list_of_objects(tmp_path: Path) -> None:
    annotated = write_output(tmp_path / "annotated", ROWS, ANSWERS, n_best=2)
    export(ExportConfig(input=str(annotated), to="jsonl", output=str(tmp_path / "out.jsonl"), columns=("n_best",)))
    first, _, third, *_ = map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines())
    assert first == {"n_best": [{"text": "oxygen", "start": 20, "end": 26, "start_score": 1.0, "end_score": 0.5}]}
    assert third == {"n_best": None}
