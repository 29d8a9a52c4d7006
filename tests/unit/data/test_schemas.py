from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ray_qa.data.part_tables import part_table
from ray_qa.data.schemas import (
    added_fields,
    check_columns,
    is_text,
    kept_columns,
    output_schema,
    texts,
)
from ray_qa.errors import InputError
from ray_qa.reader.answers import failed
from ray_qa.records import Answer, Mention, Span
from ray_qa.settings import ColumnSettings

ROWS = pa.table({"id": [7, 8], "question": ["who?", None], "context": ["Ada did.", ""], "note": ["x", "y"]})
FOUND = Answer(
    status="answered",
    answer="Ada",
    span="Ada",
    start=0,
    end=3,
    start_score=1.0,
    end_score=2.0,
    null_score=-1.0,
    log_partition=3.5,
    confidence=0.75,
    windows=1,
    n_best=(Span(text="Ada", start=0, end=3, start_score=1.0, end_score=2.0),),
    mentions=(Mention(text="Ada", start=0, end=3, start_score=1.0, end_score=2.0, confidence=0.75),),
)
ADA = {"text": "Ada", "start": 0, "end": 3, "start_score": 1.0, "end_score": 2.0}
TEXT_TYPES = [
    pa.string(),
    pa.large_string(),
    pa.string_view(),
    pa.dictionary(pa.int32(), pa.string()),
    pa.dictionary(pa.int8(), pa.large_string()),
]


def part(answers: list[Answer], **settings: Any) -> Any:
    return part_table(ROWS, answers, ColumnSettings(**settings), {b"ours": b"7"})


def refusals(schema: Any, **settings: Any) -> tuple[str, ...]:
    with pytest.raises(InputError) as caught:
        check_columns(schema, ColumnSettings(**settings))
    return caught.value.problems


def as_type(values: list[str | None], kind: Any) -> Any:
    array = pa.array(values, pa.string())
    return (
        array.cast(kind.value_type).dictionary_encode().cast(kind) if pa.types.is_dictionary(kind) else array.cast(kind)
    )


@pytest.mark.parametrize("kind", TEXT_TYPES, ids=str)
def test_every_kind_of_string_is_text(kind: Any) -> None:
    values = ["who?", None, "", "犬 🦊", "a\u0301"]
    column = pa.chunked_array([as_type(values, kind), as_type(values[:1], kind)])
    assert is_text(kind)
    assert texts(column) == [*values, "who?"]
    check_columns(pa.schema([("question", kind), ("context", kind)]), ColumnSettings())


@pytest.mark.parametrize(
    "kind",
    [pa.int64(), pa.binary(), pa.null(), pa.list_(pa.string()), pa.dictionary(pa.int32(), pa.int64())],
    ids=str,
)
def test_other_types_are_not_text_and_refused(kind: Any) -> None:
    assert not is_text(kind)
    schema = pa.schema([("question", pa.string()), ("context", kind)])
    assert refusals(schema) == (f"`context_column` must name a text column, but 'context' is {kind}",)


def broken_utf8() -> Any:
    offsets = pa.py_buffer(np.array([0, 2, 5, 7], dtype=np.int32).tobytes())
    return pa.Array.from_buffers(pa.string(), 3, [None, offsets, pa.py_buffer(b"ok\xffa\xfehi")])


@pytest.mark.parametrize("kind", TEXT_TYPES, ids=str)
def test_bytes_that_are_not_utf8_come_as_lone_surrogates(kind: Any) -> None:
    raw = broken_utf8()
    column = (
        raw.cast(kind.value_type).dictionary_encode().cast(kind) if pa.types.is_dictionary(kind) else raw.cast(kind)
    )
    assert texts(pa.chunked_array([column])) == ["ok", "\udcffa\udcfe", "hi"]


def test_nulls_beside_broken_text_stay_nulls() -> None:
    column = pa.chunked_array([broken_utf8(), pa.array([None, "x"], pa.string())])
    assert texts(column) == ["ok", "\udcffa\udcfe", "hi", None, "x"]


def test_bytes_that_are_not_utf8_are_written_back_as_they_were() -> None:
    rows = pa.table({"question": pa.array(["a", "b", "c"]), "context": broken_utf8()})
    answers = [failed("context_not_unicode")] * 3
    sink = io.BytesIO()
    pq.write_table(part_table(rows, answers, ColumnSettings(), {}), sink)
    back = pq.read_table(sink)
    assert back["context"].cast(pa.binary()).to_pylist() == [b"ok", b"\xffa\xfe", b"hi"]
    assert texts(back["context"]) == ["ok", "\udcffa\udcfe", "hi"]


def test_missing_columns_are_named_beside_those_that_are_there() -> None:
    schema = pa.schema([("id", pa.int64()), ("text", pa.string())])
    assert refusals(schema, keep=("id", "title")) == (
        "`question_column` must name one column of the input, but is 'question'; there are: id, text",
        "`context_column` must name one column of the input, but is 'context'; there are: id, text",
        "`keep` must name columns of the input, but has 'title'; there are: id, text",
    )
    assert refusals(pa.schema([]), question="q")[0].endswith("but is 'q'; there are: no columns")


def test_columns_that_bear_an_added_name_are_refused_unless_left_out_or_ours_renamed() -> None:
    schema = ROWS.schema.append(pa.field("answer", pa.string())).append(pa.field("n_best", pa.int64()))
    (line,) = refusals(schema)
    assert line.startswith(
        "the input must have no column that annotate adds, but has 'answer'; rename ours with --prefix"
    )
    (line,) = refusals(schema, n_best=2)
    assert "but has 'answer', 'n_best'; rename" in line
    check_columns(schema, ColumnSettings(n_best=2, prefix="qa_"))
    check_columns(schema, ColumnSettings(n_best=2, keep=("id",)))
    prefixed = schema.append(pa.field("qa_start", pa.int64()))
    assert [line.split("'")[1] for line in refusals(prefixed, prefix="qa_")] == ["qa_start"]


def test_a_column_name_that_comes_twice_is_refused() -> None:
    schema = pa.schema([*ROWS.schema, ("id", pa.int64())])
    assert refusals(schema) == ("the input must name its columns apart, but has 'id' twice",)
    check_columns(schema, ColumnSettings(keep=("note",)))
    assert "`question_column` must name one column" in refusals(pa.schema([*ROWS.schema, ROWS.schema.field(1)]))[0]


def test_kept_columns_come_in_the_inputs_order() -> None:
    assert kept_columns(ROWS.schema, ()) == ["id", "question", "context", "note"]
    assert kept_columns(ROWS.schema, ("note", "id")) == ["id", "note"]


@pytest.mark.parametrize(
    "settings", [{}, {"n_best": 3}, {"answers_per_row": 2}, {"prefix": "qa_"}, {"keep": ("note",)}], ids=str
)
def test_a_part_has_the_same_schema_whatever_became_of_its_rows(settings: dict[str, Any]) -> None:
    nothing = [failed("question_missing"), failed("context_empty")]
    schemas = [part(answers, **settings).schema for answers in ([FOUND, nothing[0]], nothing)]
    wanted = output_schema(ROWS.schema, ColumnSettings(**settings))
    assert schemas[0].equals(wanted)
    assert schemas[1].equals(wanted)
    empty = part_table(ROWS.slice(0, 0), [], ColumnSettings(**settings), {})
    assert (empty.schema.equals(wanted), empty.num_rows) == (True, 0)


def test_a_part_holds_the_kept_columns_unchanged_and_the_answers_fields() -> None:
    table = part([FOUND, failed("question_missing")], n_best=2, answers_per_row=2)
    assert table.select(ROWS.schema.names).equals(ROWS.select(ROWS.schema.names))
    rows = table.drop_columns(ROWS.schema.names).to_pylist()
    assert rows[0] == {
        "answer": "Ada",
        "span": "Ada",
        "start": 0,
        "end": 3,
        "start_score": 1.0,
        "end_score": 2.0,
        "null_score": -1.0,
        "log_partition": 3.5,
        "confidence": 0.75,
        "status": "answered",
        "reason": None,
        "windows": 1,
        "n_best": [ADA],
        "mentions": [ADA | {"confidence": 0.75}],
    }
    there = {name: value for name, value in rows[1].items() if value is not None}
    assert there == {"status": "failed", "reason": "question_missing", "windows": 0}


def test_a_prefix_goes_before_every_added_name_even_where_it_is_like_one() -> None:
    table = part([FOUND, FOUND], prefix="s", keep=("id",), n_best=2)
    assert table.schema.names == ["id", *(field.name for field in added_fields(ColumnSettings(prefix="s", n_best=2)))]
    assert table["sspan"].to_pylist() == ["Ada", "Ada"]
    assert table["sstart"].to_pylist() == [0, 0]


@pytest.mark.parametrize(("setting", "column"), [("n_best", "n_best"), ("answers_per_row", "mentions")])
def test_a_list_of_spans_is_a_column_only_where_it_is_asked_for(setting: str, column: str) -> None:
    settings: list[dict[str, Any]] = [{setting: most} for most in (1, 2)]
    one, two = (added_fields(ColumnSettings(**each)) for each in settings)
    assert [field.name for field in two] == [*(field.name for field in one), column]


def test_a_row_without_a_mention_is_told_from_one_that_failed() -> None:
    table = part([replace(FOUND, mentions=()), failed("question_missing")], answers_per_row=2)
    assert table["mentions"].to_pylist() == [[], None]


def test_a_part_carries_its_metadata_through_parquet() -> None:
    sink = io.BytesIO()
    pq.write_table(part([FOUND, failed("question_missing")]), sink)
    assert pq.read_schema(sink).metadata[b"ours"] == b"7"
