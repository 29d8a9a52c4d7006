from __future__ import annotations

import gzip
import io
import json

import pyarrow.parquet as pq

from ray_qa.preparation.config import PrepareConfig
from ray_qa.preparation.prepare import prepare
from ray_qa.storage import places
from ray_qa.storage.remote import Remote

GOOD = {"id": "a", "context": "a red dog", "answers": {"text": ["red"], "answer_start": [2]}}
BAD = {"id": "b", "context": "a red dog", "answers": {"text": ["cat"], "answer_start": [2]}}


def rows_in(file: Remote) -> list[object]:
    return list(pq.read_table(io.BytesIO(places.read(file))).to_pylist())


def test_rows_are_prepared_from_a_bucket_into_a_bucket(folder: Remote) -> None:
    for name in ("x.jsonl", "y.jsonl"):
        places.publish(folder / "in" / name, "\n".join(map(json.dumps, [GOOD, BAD])).encode())
    config = PrepareConfig(input=(f"{folder}/in",), output=f"{folder}/out")
    first = prepare(config)
    assert (first.counts.rows, first.counts.kept, first.counts.set_apart) == (4, 2, {"answer_not_in_context": 2})
    out = folder / "out"
    assert rows_in(out / "part-0000000.parquet") == rows_in(out / "part-0000001.parquet") == [GOOD]
    assert places.names_in(out / ".ray_qa" / "set-apart") == ["set-apart-0000000.parquet", "set-apart-0000001.parquet"]
    assert places.names_in(out / ".ray_qa" / "rows") == []
    assert prepare(config).was_finished
    places.delete([out / "part-0000001.parquet"])
    assert not prepare(config).was_finished
    assert rows_in(out / "part-0000001.parquet") == [GOOD]
    again = prepare(config.model_copy(update={"overwrite": True}))
    assert again.counts == first.counts


def test_text_files_of_a_bucket_are_rows_with_their_urls(folder: Remote) -> None:
    for number in range(40):
        places.publish(folder / "in" / f"lang=de/{number:02d}.txt", f"text {number}".encode())
    places.publish(folder / "in" / "z.md.gz", gzip.compress(b"last"))
    prepare(PrepareConfig(input=(f"{folder}/in",), output=f"{folder}/out", context_from="files"))
    wanted: list[object] = [
        {"path": f"{folder}/in/lang=de/{n:02d}.txt", "context": f"text {n}", "lang": "de"} for n in range(40)
    ]
    wanted.append({"path": f"{folder}/in/z.md.gz", "context": "last", "lang": None})
    assert rows_in(folder / "out" / "part-0000000.parquet") == wanted
