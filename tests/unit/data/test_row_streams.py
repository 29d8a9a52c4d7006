from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ray_qa.data.row_streams import stream_rows
from ray_qa.errors import InputError

ROWS = [
    {"id": "a", "question": "Wer? 🙂", "context": "Köln\n\nliegt, am \"Rhein\"", "year": "7"},
    {"id": "b", "question": "", "context": " ", "year": "08"},
]  # fmt: skip


def packed(path: Path, content: bytes) -> str:
    """Write a file, compressed as its name says."""
    if path.suffix == ".gz":
        content = gzip.compress(content)
    elif path.suffix == ".zst":
        content = pa.Codec("zstd").compress(content, asbytes=True)
    path.write_bytes(content)
    return str(path)


def as_csv(rows: list[dict[str, str]], delimiter: str) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode("utf-8-sig")


def as_arrow(rows: list[dict[str, str]], *, file: bool) -> bytes:
    table, sink = pa.Table.from_pylist(rows), pa.BufferOutputStream()
    new = pa.ipc.new_file if file else pa.ipc.new_stream
    with new(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=1)
    return bytes(sink.getvalue().to_pybytes())


def as_parquet(rows: list[dict[str, str]]) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return bytes(sink.getvalue().to_pybytes())


FORMS = {
    "jsonl": "\n".join(json.dumps(row) for row in ROWS).encode(),
    "ndjson": "\r\n\r\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS).encode("utf-8-sig"),
    "json": json.dumps(ROWS, indent=1).encode(),
    "csv": as_csv(ROWS, ","),
    "tsv": as_csv(ROWS, "\t"),
    "arrow": as_arrow(ROWS, file=False),
    "feather": as_arrow(ROWS, file=True),
    "parquet": as_parquet(ROWS),
}


def read(path: str) -> list[dict[str, Any]]:
    tables = [table for table in stream_rows(path, "input") if table.num_rows]
    return [row for table in tables for row in table.to_pylist()]


@pytest.mark.parametrize("compression", ["", ".gz", ".zst"])
@pytest.mark.parametrize("form", FORMS)
def test_the_same_rows_come_out_of_every_form(tmp_path: Path, form: str, compression: str) -> None:
    assert read(packed(tmp_path / f"rows.{form}{compression}", FORMS[form])) == ROWS


def test_archives_in_several_pieces_are_read_to_their_end(tmp_path: Path) -> None:
    first, second = (json.dumps(row).encode() + b"\n" for row in ROWS)
    (tmp_path / "rows.jsonl.gz").write_bytes(gzip.compress(first) + gzip.compress(second))
    assert read(str(tmp_path / "rows.jsonl.gz")) == ROWS


@pytest.mark.parametrize("compression", [".gz", ".zst"])
def test_an_archive_that_is_cut_off_is_refused(tmp_path: Path, compression: str) -> None:
    content = b"\n".join(json.dumps({"question": str(number), "context": "c"}).encode() for number in range(20_000))
    path = Path(packed(tmp_path / f"rows.jsonl{compression}", content))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=f"`input` must .*rows.jsonl{compression}"):
        read(str(path))


def test_official_squad_is_read_with_its_titles_and_without_answers_too(tmp_path: Path) -> None:
    answers = [{"text": "Köln", "answer_start": 3}]
    qas = [{"id": "1", "question": "Wo?", "answers": answers}, {"id": "2", "question": "Wer?"}]
    document = {"version": "2", "data": [{"title": "Rhein", "paragraphs": [{"context": "In Köln", "qas": qas}]}]}
    first = {"id": "1", "title": "Rhein", "question": "Wo?", "context": "In Köln"}
    second = {"id": "2", "title": "Rhein", "question": "Wer?", "context": "In Köln"}
    assert read(packed(tmp_path / "squad.json.gz", json.dumps(document).encode())) == [
        first | {"answers": {"text": ["Köln"], "answer_start": [3]}},
        second | {"answers": {"text": [], "answer_start": []}},
    ]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("x.jsonl", b'{"a": 1}\n\n{"a": 2\n', "in .*x.jsonl line 3 is no JSON"),
        ("x.jsonl", b'{"a": 1}\n[1]\n', r"line 2 is no object: \[1\]"),
        ("x.jsonl", b'{"a": 1}\n{"a": "one"}\n', "line 2 has 'one' in 'a', which does not go with 1 before it"),
        ("x.jsonl", b'{"a": 99999999999999999999}\n', "line 1 has 99999999999999999999 in 'a'"),
        ("x.jsonl", b"{}\n", "line 1 has no keys"),
        ("x.json", b'[{"a": 1}, 2]', "row 2 is no object: 2"),
        ("x.json", b'{"a": [\n1]}', "must be SQuAD JSON, but .*x.json has no list 'data'"),
        ("x.csv", b"a,b\n1,2\n1,2,3\n", "line 3 has 3 columns, and line 1 has 2"),
        ("x.csv", b'a,b\n"1\n",2\n1\n', "line 4 has 1 columns, and line 1 has 2"),
        ("x.csv", b'a,b\n1,"2', "line 2 cannot be read .unexpected end of data"),
        ("x.csv", b"a,a\n1,2\n", "line 1 names the column 'a' twice"),
        ("x.csv", b"a,b\n1,2\n3,\xff\n", r"line 3 is not UTF-8: '\\udcff'"),
        ("x.csv", b'a,b\n1,2\n3,"\n\n4', r"lines 3 to 5 cannot be read \(unexpected end of data\)"),
        ("x.csv", b"\n\na,b\n1\n", "line 4 has 1 columns, and line 3 has 2"),
        ("x.jsonl", b'{"a": {"b": 1}, "\\ud800": 1}', "line 1 has a key that is no Unicode text"),
        ("x.jsonl", b'{"a": 1}\n{"a": }', r"line 2 is no JSON \(Expecting value, character 7\)"),
        ("x.json", b'[{"a": 1},\n{"a": 2},,]', "x.json gives: line 2: Expecting value"),
        ("x.feather", b"FEA1 and more", "must be readable, but .*x.feather gives"),
        ("x.parquet.gz", b"no", "must be readable, but .*x.parquet.gz gives"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_line(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    with pytest.raises(InputError, match=says) as error:
        read(packed(tmp_path / name, content))
    assert len(error.value.problems) == 1
    assert "\n" not in str(error.value)


def test_a_row_that_does_not_fit_is_found_among_many(tmp_path: Path) -> None:
    lines = [json.dumps({"a": number if number != 1_234 else "x"}) for number in range(2_000)]
    with pytest.raises(InputError, match="line 1,235 has 'x' in 'a'"):
        read(packed(tmp_path / "x.jsonl", "\n".join(lines).encode()))


def test_lone_surrogates_stay_what_they_are_for_whoever_reads_the_text(tmp_path: Path) -> None:
    path = packed(tmp_path / "x.jsonl", b'{"context": "a\\ud800b"}\n{"context": null}')
    (table,) = stream_rows(path, "input")
    assert table["context"].cast(pa.binary()).to_pylist() == ["a\ud800b".encode(errors="surrogatepass"), None]


texts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(st.fixed_dictionaries({"question": texts, "con,text": texts}), min_size=1, max_size=5))
def test_any_texts_survive_csv(tmp_path: Path, rows: list[dict[str, str]]) -> None:
    assert read(packed(tmp_path / "rows.csv", as_csv(rows, ","))) == rows
    assert read(packed(tmp_path / "rows.tsv.gz", as_csv(rows, "\t"))) == rows
