"""What is read of a distributed file system: a folder of this machine, by pyarrow, stands for one."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow.fs import LocalFileSystem, SubTreeFileSystem

from ray_qa.data.example_schema import ExampleColumns
from ray_qa.data.examples import Examples, read_examples, survey_examples
from ray_qa.data.file_search import find_files
from ray_qa.data.gold import read_gold
from ray_qa.data.parquet_files import read_inputs
from ray_qa.data.row_groups import read_units
from ray_qa.data.units import plan_units
from ray_qa.errors import InputError, StorageError
from ray_qa.judging.predictions import open_predictions
from ray_qa.settings import ColumnSettings
from ray_qa.storage import file_systems, places
from ray_qa.storage.remote import Remote, place_of

COLUMNS = ColumnSettings()
ROOT = "hdfs://namenode:8020/user/me"
NAMES = (
    "a.parquet", "a/b.parquet", "a/c.PQ", "a/notes.txt", "a/_SUCCESS", "a/.hidden.parquet", "a-b/c.parquet",
    "b/year=2023/lang=de/part 1.parquet", "b/year=2024/part-2.parquet",
)  # fmt: skip


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What ``ROOT`` leads to."""
    (tmp_path / "user/me").mkdir(parents=True)
    tree = SubTreeFileSystem(str(tmp_path), LocalFileSystem())
    monkeypatch.setattr(file_systems, "_file_system", lambda *_: tree)
    return tmp_path / "user/me"


def write(path: Path, rows: int = 20) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    texts = [f"text {number}" for number in range(rows)]
    answers = [{"text": [text], "answer_start": [0]} for text in texts]
    table = pa.table({"id": texts, "question": texts, "context": texts, "answers": answers})
    pq.write_table(table, path, row_group_size=7)


@pytest.mark.parametrize("pattern", ["a", "a.parquet", "b", "*", "a*/*", "**/*.parquet", "b/year=*", "a-*/*", "a/b*"])
def test_files_are_found_as_in_folders(home: Path, pattern: str) -> None:
    for name in NAMES:
        write(home / name)
    here, there = find_files([f"{home}/{pattern}"], "input"), find_files([f"{ROOT}/{pattern}"], "input")
    assert [path.removeprefix(ROOT) for path in there.paths] == [path.removeprefix(str(home)) for path in here.paths]
    assert [file.partitions for file in there.files] == [file.partitions for file in here.files]
    if "*" not in pattern:  # or folders beside files are named, which a listing has not
        assert [path.removeprefix(ROOT) for path in there.passed_over] == [
            path.removeprefix(str(home)) for path in here.passed_over
        ]


def test_a_corpus_is_read_as_one_in_a_folder_and_known_again_until_it_changes(home: Path) -> None:
    for name in ("a", "b"):
        write(home / "in" / f"{name}.parquet")
    here, there = read_inputs([f"{home}/in"], COLUMNS), read_inputs([f"{ROOT}/in"], COLUMNS)
    assert there.schema == here.schema
    assert there.row_groups == here.row_groups
    units = list(plan_units(there.row_groups, 9))
    assert list(read_units(there.sources, units, there.schema)) == list(read_units(here.sources, units, here.schema))
    assert read_inputs([f"{ROOT}/in"], COLUMNS, there) == there
    write(home / "in" / "a.parquet", rows=21)
    assert read_inputs([f"{ROOT}/in"], COLUMNS, there).rows == 41


def test_training_rows_gold_and_predictions_are_read(home: Path) -> None:
    write(home / "rows.parquet", rows=2)
    lines = [{"id": "1", "question": "Who?", "context": "Ann.", "answers": {"text": ["Ann"], "answer_start": [0]}}]
    (home / "rows.jsonl").write_text("\n".join(map(json.dumps, lines)))
    (home / "predictions.json").write_text('{"1": "Ann"}')
    for name in ("rows.parquet", "rows.jsonl"):
        here, there = (
            Examples(sources=(f"{root}/{name}",), setting="train", columns=ExampleColumns()) for root in (home, ROOT)
        )
        assert pa.concat_tables(read_examples(there)) == pa.concat_tables(read_examples(here))
        assert survey_examples(there).sha256 == survey_examples(here).sha256
    assert read_gold(f"{ROOT}/rows.parquet", "id").by_id() == {"text 0": ("text 0",), "text 1": ("text 1",)}
    predictions = open_predictions(f"{ROOT}/predictions.json", prefix="", partial=False)
    assert predictions.table is not None
    assert predictions.table.to_pylist() == [{"id": "1", "answer": "Ann"}]


def test_what_is_not_there_is_missing_as_a_file_would_be(home: Path) -> None:
    folder = place_of(ROOT, "input")
    assert isinstance(folder, Remote)
    assert places.names_in(folder / "nothing") == []
    assert not places.exists(folder / "nothing")
    with pytest.raises(FileNotFoundError, match=f"{ROOT}/nothing"):
        places.read(folder / "nothing")
    with pytest.raises(InputError, match=r"but hdfs://namenode:8020/user/me/nothing leads to nothing$"):
        find_files([f"{ROOT}/nothing"], "input")
    (home / "folder").mkdir()
    (home / "file").touch()
    assert [(entry.name, entry.is_file) for entry in places.entries_in(folder)] == [("file", True), ("folder", False)]
    assert places.names_in(folder / "file") == []


def test_a_machine_without_hadoop_is_told_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    with pytest.raises(StorageError) as refused:
        find_files([f"{ROOT}/in"], "input")
    (line,) = refused.value.problems
    assert "\n" not in line
    assert line.startswith(f"{ROOT}/in must be read by way of libhdfs, which does not load here (")
    for name in ("ARROW_LIBHDFS_DIR", "HADOOP_HOME", "CLASSPATH"):
        assert name in line
