"""Tables as they really come, through every form: all rows come back in order, or one line says what is wrong."""

from __future__ import annotations

import csv
import gzip
import io
import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ray_qa.data import object_tables
from ray_qa.data.conversion import bring_into_parquet
from ray_qa.data.row_sources import find_rows
from ray_qa.errors import InputError

ODD = [
    "",
    " ",
    "\x00",
    '"',
    "\n",
    "\r",
    "a\r\nb",
    ",",
    "\t",
    "\u202eרtl\u202c",
    "🙂",
    "e\u0301",
    "\ufeff",
    "x" * 70_000,
    "\\ud800",
]
TEXTS = st.sampled_from(ODD) | st.text(st.characters(codec="utf-8"), max_size=6)
NAMES = st.sampled_from(["context", "question", "a.b", "", "né\n"])
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.booleans()
VALUES = st.recursive(
    st.none() | TEXTS | NUMBERS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["text", "start"]), inner, max_size=2),
    max_leaves=4,
)
SURROGATES = TEXTS | st.text(st.characters(min_codepoint=0xD7FF, max_codepoint=0xE000), max_size=2)
COMPRESSIONS = ["", ".gz", ".zst"]
few = settings(max_examples=60, deadline=None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where every example writes its own files over those of the one before."""
    return tmp_path_factory.mktemp("dirty")


def read_back(path: Path, content: bytes, chunk_rows: int) -> list[dict[str, Any]]:
    """What lies in Parquet of a file, texts that are no Unicode with their surrogates."""
    if path.suffix == ".gz":
        content = gzip.compress(content)
    elif path.suffix == ".zst":
        content = pa.Codec("zstd").compress(content, asbytes=True)
    path.write_bytes(content)
    for old in (path.parent / "rows").glob("*"):
        old.unlink()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(object_tables, "CHUNK_ROWS", chunk_rows)
        (source,) = find_rows([str(path)], "input").sources
        found = bring_into_parquet(source, path.parent / "rows", "input")
    return [row for file in found.files for row in _rows(pq.ParquetFile(file.path).read())]


def _rows(table: pa.Table) -> list[dict[str, Any]]:
    columns = {name: _values(table[name]) for name in table.column_names}
    return [{name: values[at] for name, values in columns.items()} for at in range(table.num_rows)]


def _values(column: pa.ChunkedArray) -> list[Any]:
    if not pa.types.is_string(column.type):
        return list(column.to_pylist())
    raw = column.cast(pa.binary()).to_pylist()
    return [None if value is None else value.decode(errors="surrogatepass") for value in raw]


def assert_refused(error: InputError, path: Path) -> None:
    """One line, which names the file and, where there is one to name, the line or row."""
    (line,) = error.problems
    assert line.startswith("`input` must ")
    assert line.isprintable()
    assert str(path) in line
    assert re.search(r"\b(lines?|row) [\d,]+|in all rows|has none|has no (list|keys)|Parquet cannot hold", line)


def same(found: object, written: object) -> bool:
    """Whether a value came back: what an object has not is null, whole numbers may be numbers, ``{}`` may be null."""
    if isinstance(found, dict):
        return isinstance(written, dict) and all(same(found[key], written.get(key)) for key in found | written)
    if isinstance(found, list):
        return isinstance(written, list) and len(found) == len(written) and all(map(same, found, written))
    if isinstance(found, bool) or isinstance(written, bool):
        return found is written
    return found == written or (found is None and written == {})


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("form", ["jsonl", "json"])
@few
@given(rows=st.lists(st.dictionaries(NAMES, VALUES | SURROGATES, max_size=3), max_size=6), chunk_rows=st.integers(1, 3))
def test_objects(folder: Path, form: str, compression: str, rows: list[dict[str, Any]], chunk_rows: int) -> None:
    path = folder / f"rows.{form}{compression}"
    content = "\n".join(map(json.dumps, rows)) if form == "jsonl" else json.dumps(rows, indent=1)
    try:
        found = read_back(path, content.encode(), chunk_rows)
    except InputError as error:
        assert_refused(error, path)
        return
    assert len(found) == len(rows)
    for one, written in zip(found, json.loads(json.dumps(rows)), strict=True):
        assert written.keys() <= one.keys()
        assert same(one, written)


@pytest.mark.parametrize("value", [[0.0, False], {"a": [0.5]}, 1.5])
def test_true_and_false_are_no_numbers(folder: Path, value: object) -> None:
    mixed = True if isinstance(value, float) else {"a": [True]}
    rows = [{"n": value}, *([] if isinstance(value, list) else [{"n": mixed}])]
    with pytest.raises(InputError, match="Expected number, got bool"):
        read_back(folder / "rows.json", json.dumps(rows).encode(), 10)


@few
@given(
    rows=st.lists(
        st.fixed_dictionaries({"context": SURROGATES | st.none()}, optional={"n": st.integers(-9, 9)}), min_size=1
    )
)
def test_rows_of_one_kind_always_come_back(folder: Path, rows: list[dict[str, Any]]) -> None:
    content = "\n".join(map(json.dumps, rows)).encode()
    rows = json.loads(json.dumps(rows))  # two surrogates that are escaped make one character
    assert [{"n": None} | row for row in rows] == [
        {"n": None} | row for row in read_back(folder / "kind.jsonl", content, 2)
    ]


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("form", ["csv", "tsv"])
@few
@given(
    names=st.lists(NAMES, min_size=1, max_size=3, unique=True),
    rows=st.lists(st.lists(TEXTS, min_size=1, max_size=3), min_size=1, max_size=5),
)
def test_separated_texts(folder: Path, form: str, compression: str, names: list[str], rows: list[list[str]]) -> None:
    path = folder / f"rows.{form}{compression}"
    try:
        found = read_back(path, as_csv([names, *rows], "," if form == "csv" else "\t"), 2)
    except InputError as error:
        assert_refused(error, path)
        assert any(len(row) != len(names) for row in rows)
        return
    assert found == [dict(zip(names, row, strict=True)) for row in rows]


def as_csv(rows: Sequence[Sequence[str]], delimiter: str) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL).writerows(rows)
    return text.getvalue().encode()


@few
@given(content=st.text('ab,"\n\r\t\x00', max_size=20).map(str.encode) | st.binary(max_size=20))
def test_any_bytes_as_csv(folder: Path, content: bytes) -> None:
    path = folder / "bytes.csv"
    try:
        found = read_back(path, content, 2)
    except InputError as error:
        assert_refused(error, path)
        return
    assert found


TYPES = [
    pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.int8(), pa.uint64(), pa.float16(), pa.float64(),
    pa.bool_(), pa.date32(), pa.timestamp("us", "UTC"), pa.duration("ms"), pa.decimal128(12, 3), pa.null(),
    pa.list_(pa.string()), pa.large_list(pa.int32()), pa.struct([("text", pa.list_(pa.string())), ("at", pa.int64())]),
    pa.map_(pa.string(), pa.int64()), pa.dictionary(pa.int8(), pa.string()),
    pa.struct([]), pa.month_day_nano_interval(), pa.run_end_encoded(pa.int32(), pa.string()),
]  # fmt: skip
UNKNOWN_TO_PARQUET = TYPES[-3:]


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("form", ["arrow", "feather", "parquet"])
@few
@given(data=st.data(), kinds=st.lists(st.sampled_from(TYPES), min_size=1, max_size=3), rows=st.integers(0, 4))
def test_columns(
    folder: Path, form: str, compression: str, data: st.DataObject, kinds: list[pa.DataType], rows: int
) -> None:
    if form == "parquet":
        kinds = [kind for kind in kinds if kind not in UNKNOWN_TO_PARQUET] or [pa.string()]
    names = data.draw(
        st.lists(NAMES, min_size=len(kinds), max_size=len(kinds), unique=data.draw(st.integers(0, 9)) > 0)
    )
    columns = [pa.array(data.draw(st.lists(values_of(kind), min_size=rows, max_size=rows)), kind) for kind in kinds]
    table = pa.Table.from_arrays(columns, names=names)
    path, sink = folder / f"rows.{form}{compression}", pa.BufferOutputStream()
    if form == "parquet":
        pq.write_table(table, sink)
    else:
        with (pa.ipc.new_stream if form == "arrow" else pa.ipc.new_file)(sink, table.schema) as writer:
            writer.write_table(table, max_chunksize=2)
    if form == "parquet" and not compression and len(set(names)) < len(names):
        return  # it is read where it lies, and told so by whoever looks at its columns
    may_be_refused = not rows or len(set(names)) < len(names) or any(kind in UNKNOWN_TO_PARQUET for kind in kinds)
    try:
        found = read_back(path, sink.getvalue().to_pybytes(), 2)
    except InputError as error:
        (line,) = error.problems
        assert str(path) in line
        assert line.isprintable()
        assert may_be_refused
        return
    assert found == _rows(table)


def values_of(kind: pa.DataType) -> st.SearchStrategy[Any]:
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return st.none() | TEXTS
    if pa.types.is_binary(kind):
        return st.none() | st.binary(max_size=4)
    if pa.types.is_integer(kind) or pa.types.is_timestamp(kind) or pa.types.is_duration(kind) or pa.types.is_date(kind):
        return st.none() | st.integers(0, 100)
    if pa.types.is_floating(kind):
        return st.none() | st.sampled_from([0.5, -1.0, math.inf])
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return st.none() | st.lists(values_of(kind.value_type), max_size=2)
    if pa.types.is_struct(kind) and kind.num_fields:
        return st.none() | st.fixed_dictionaries({field.name: values_of(field.type) for field in kind})
    return st.none()


@few
@given(
    contexts=st.lists(TEXTS | st.none() | SURROGATES, min_size=1, max_size=3),
    questions=st.lists(TEXTS, min_size=1, max_size=3),
    compression=st.sampled_from(COMPRESSIONS),
)
def test_squad_json(folder: Path, contexts: list[str | None], questions: list[str], compression: str) -> None:
    qas = [{"id": str(number), "question": question, "answers": []} for number, question in enumerate(questions)]
    paragraphs = [{"context": context, "qas": qas} for context in contexts]
    document = {"data": [{"title": "t", "paragraphs": [paragraph]} for paragraph in paragraphs]}
    found = read_back(folder / f"squad.json{compression}", json.dumps(document).encode(), 2)
    contexts = json.loads(json.dumps(contexts))
    pairs = [(context, question) for context in contexts for question in questions]
    assert [(row["context"], row["question"]) for row in found] == pairs


@few
@given(content=st.binary(max_size=12) | st.text('[]{}",:12ab\\u \n', max_size=16).map(str.encode))
@pytest.mark.parametrize("form", ["jsonl", "json", "arrow", "feather", "jsonl.gz", "json.zst"])
def test_any_bytes(folder: Path, form: str, content: bytes) -> None:
    path = folder / f"bytes.{form}"
    path.write_bytes(content)
    (source,) = find_rows([str(path)], "input").sources
    try:
        bring_into_parquet(source, folder / "rows", "input")
    except InputError as error:
        (line,) = error.problems
        assert str(path) in line
        assert line.isprintable()
