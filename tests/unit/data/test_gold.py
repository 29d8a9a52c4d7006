from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ray_qa.data.gold import read_gold
from ray_qa.errors import InputError

X = {"text": ["x"]}
ANSWERS = pa.struct([("text", pa.list_(pa.string())), ("answer_start", pa.list_(pa.int32()))])


def write_gold(path: Path, answers: dict[Any, list[str]], ids: pa.DataType | None = None) -> str:
    values = [{"text": texts, "answer_start": [0] * len(texts)} for texts in answers.values()]
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = {"title": ["t"] * len(answers), "answers": pa.array(values, ANSWERS), "id": pa.array(list(answers), ids)}
    pq.write_table(pa.table(columns), path)
    return str(path)


def write_json(path: Path, document: object) -> str:
    path.write_text(json.dumps(document, ensure_ascii=False), encoding="utf-8")
    return str(path)


def squad(*questions: dict[str, Any]) -> dict[str, Any]:
    return {"version": "v2.0", "data": [{"title": "t", "paragraphs": [{"context": "c", "qas": [*questions]}]}]}


@contextmanager
def refused(message: str) -> Iterator[None]:
    with pytest.raises(InputError, match=f"^{message}") as error:
        yield
    assert len(str(error.value).splitlines()) == 1


def test_gold_parquet_gives_every_answer_in_row_order(tmp_path: Path) -> None:
    path = write_gold(tmp_path / "gold.parquet", {"z": ["Köln", "köln"], "a": [], "m": ["", "東京"]})
    assert list(read_gold(path, "id").by_id().items()) == [("z", ("Köln", "köln")), ("a", ()), ("m", ("", "東京"))]


def test_gold_may_be_a_folder_or_a_glob_but_without_repeated_ids(tmp_path: Path) -> None:
    write_gold(tmp_path / "gold/a.parquet", {2: ["x"]}, pa.int64())
    write_gold(tmp_path / "gold/b.parquet", {1: []}, pa.int64())
    wanted = [("2", ("x",)), ("1", ())]
    assert list(read_gold(str(tmp_path / "gold"), "id").by_id().items()) == wanted
    assert list(read_gold(str(tmp_path / "gold/*.parquet"), "id").by_id().items()) == wanted

    write_gold(tmp_path / "gold/c.parquet", {"2": []})
    with refused(r"`gold` must have every id once, but row 3 of .* repeats '2'"):
        read_gold(str(tmp_path / "gold"), "id")


@pytest.mark.parametrize("ids", [pa.large_string(), pa.dictionary(pa.int32(), pa.string()), pa.string_view()])
def test_gold_ids_may_be_any_kind_of_string(tmp_path: Path, ids: pa.DataType) -> None:
    path = tmp_path / "gold.parquet"
    large = pa.struct([("text", pa.large_list(pa.large_string()))])
    column = pa.array(["q"], pa.string()).cast(ids)
    pq.write_table(pa.table({"id": column, "answers": pa.array([{"text": ["x"]}], large)}), path)
    assert read_gold(str(path), "id").by_id() == {"q": ("x",)}


def test_squad_json_is_read_with_and_without_is_impossible(tmp_path: Path) -> None:
    document = squad(
        {"id": "q1", "question": "?", "answers": [{"text": "x", "answer_start": 0}, {"text": "y", "answer_start": 1}]},
        {"id": 7, "question": "?", "answers": [], "is_impossible": True, "plausible_answers": [{"text": "z"}]},
    )
    assert read_gold(write_json(tmp_path / "dev.JSON", document), "ignored").by_id() == {"q1": ("x", "y"), "7": ()}


ROWS: list[dict[str, Any]] = [
    {"id": "z", "answers": {"text": ["Köln", "köln"], "answer_start": [0, 1]}},
    {"id": "a", "answers": {"text": [], "answer_start": []}},
]
PAIRS: list[dict[str, Any]] = [
    {"id": "z", "answers": [{"text": "Köln", "answer_start": 0}, {"text": "köln", "answer_start": 1}]},
    {"id": "a", "answers": []},
]


def as_arrow(rows: list[dict[str, Any]]) -> bytes:
    sink, table = pa.BufferOutputStream(), pa.Table.from_pylist(rows)
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


def as_parquet(rows: list[dict[str, Any]]) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows), sink)
    return bytes(sink.getvalue().to_pybytes())


def as_squad(rows: list[dict[str, Any]]) -> bytes:
    return json.dumps(squad(*({"question": "?", **row} for row in rows))).encode()


@pytest.mark.parametrize("packed", ["", ".gz"])
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("gold.jsonl", "\n".join(map(json.dumps, ROWS)).encode()),
        ("pairs.jsonl", "\n".join(map(json.dumps, PAIRS)).encode()),
        ("lines.json", "\n".join(map(json.dumps, ROWS)).encode()),
        ("list.json", json.dumps(ROWS, indent=1).encode()),
        ("gold.arrow", as_arrow(ROWS)),
        ("gold.parquet", as_parquet(ROWS)),
        ("pairs.parquet", as_parquet(PAIRS)),
        ("squad.json", as_squad(PAIRS)),
    ],
)
def test_gold_comes_in_every_form_of_rows(tmp_path: Path, name: str, content: bytes, packed: str) -> None:
    path = tmp_path / f"{name}{packed}"
    path.write_bytes(gzip.compress(content) if packed else content)
    assert list(read_gold(str(path), "id").by_id().items()) == [("z", ("Köln", "köln")), ("a", ())]
    assert list(read_gold(str(tmp_path), "id").by_id()) == ["z", "a"]


def test_gold_may_be_a_saved_data_set(tmp_path: Path) -> None:
    datasets.Dataset.from_list(ROWS).save_to_disk(tmp_path / "gold")
    assert read_gold(str(tmp_path / "gold"), "id").by_id() == {"z": ("Köln", "köln"), "a": ()}


def test_gold_that_has_texts_for_answers_is_refused_whatever_its_form(tmp_path: Path) -> None:
    (tmp_path / "gold.csv").write_text("id,answers\n1,x\n")
    with refused("`gold` must have a struct with 'text' in 'answers', but .*gold.csv has string"):
        read_gold(str(tmp_path / "gold.csv"), "id")
    (tmp_path / "gold.jsonl").write_text('{"id": 1, "answers": []}\n{broken')
    with refused("`gold` must have rows that fit one table, but in .*gold.jsonl line 2 is no JSON"):
        read_gold(str(tmp_path / "gold.jsonl"), "id")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"id": ["1"], "title": ["t"]}, r"must have a column 'answers', but /.*/gold\.parquet has id, title$"),
        ({"answers": [X]}, r"must have a column 'id', but /.*/gold\.parquet has answers$"),
        (
            {"id": ["1"], "answers": [["x"]]},
            "must have a struct with 'text' in 'answers', but .* has list.*; make it .*text.* in each row, as SQuAD",
        ),
        (
            {"id": ["1"], "answers": [{"texts": ["x"]}]},
            "must have a struct with 'text' in 'answers', but .* has struct",
        ),
        ({"id": ["1"], "answers": [{"text": "x"}]}, "must have a list of texts as answers, .* row 1 of .* has 'x'"),
        ({"id": ["1"], "answers": [{"text": [None]}]}, "must have a list of texts as answers, .* row 1 of"),
        ({"id": ["1", "2"], "answers": [X, None]}, r".* \[\] where unanswerable, but row 2 of .* has None"),
        ({"id": ["1", None], "answers": [X, X]}, "must have an id in every row, but row 2 of .* has none"),
        ({"id": [1.5], "answers": [X]}, "must have strings or integers as ids, but row 1 of .* has 1.5"),
        ({"id": [True], "answers": [X]}, "must have strings or integers as ids, but row 1 of .* has True"),
        ({"id": [b"1"], "answers": [X]}, "must have strings or integers as ids, but row 1 of .* has b'1'"),
        ({"id": ["1", "1"], "answers": [X, X]}, "must have every id once, but row 2 of .* repeats '1'"),
        ({"id": pa.array([], pa.string()), "answers": pa.array([], ANSWERS)}, "must have rows, but .* has none"),
        ({"id": pa.array([]), "answers": pa.array([])}, "must have rows, but .* has none"),
        ({"id": ["1"], "answers": [None]}, "must have a struct with 'text' in 'answers', but .* has null"),
    ],
)
def test_gold_parquet_of_another_shape_is_refused(tmp_path: Path, columns: dict[str, Any], message: str) -> None:
    pq.write_table(pa.table(columns), tmp_path / "gold.parquet")
    with refused(f"`gold` {message}"):
        read_gold(str(tmp_path / "gold.parquet"), "id")


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "have rows, but .* has none"),
        ({"data": [{"paragraphs": None}]}, r"data\[0\] of .* has no list 'paragraphs'"),
        ({"data": [{"paragraphs": [{}]}]}, r"data\[0\]\.paragraphs\[0\] of .* has no list 'qas'"),
        (squad({"id": "1"}), r"data\[0\]\.paragraphs\[0\]\.qas\[0\] of .* has no list 'answers'"),
        (squad({"id": "1", "answers": [{}]}), "have a list of texts"),
        (squad({"id": "1", "answers": ["x"]}), "have a list of texts"),
        (squad({"answers": []}), "have an id in every row"),
        (squad({"id": "1", "answers": []}, {"id": 1, "answers": []}), "have every id once"),
    ],
)
def test_json_that_is_not_squad_is_refused_where_it_differs(tmp_path: Path, document: object, message: str) -> None:
    with refused(f"`gold` must .*{message}"):
        read_gold(write_json(tmp_path / "gold.json", document), "id")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.json", b"{", "is not JSON: "),
        ("x.json", b"\xff\xfe", "is not JSON: "),
        ("x.json", b'{"data": ' + b"[" * 100_000, "is not JSON: "),
        ("x.json", None, ""),
        ("x.parquet", b"PAR1 but not really PAR1", ""),
        ("x.parquet", None, ""),
    ],
)
def test_unreadable_files_are_refused(tmp_path: Path, name: str, content: bytes | None, message: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with refused(f"`gold` must .*{name} .*{message}"):
        read_gold(str(path), "id")
