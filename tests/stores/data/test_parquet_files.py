from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ray_qa.data.examples import Examples, read_examples, survey_examples
from ray_qa.data.gold import read_gold
from ray_qa.data.parquet_files import read_inputs
from ray_qa.data.row_groups import read_units
from ray_qa.data.units import plan_units
from ray_qa.errors import InputError
from ray_qa.settings import ColumnSettings
from ray_qa.storage import objects
from ray_qa.storage.remote import Remote
from tests.cluster import corpora

COLUMNS = ColumnSettings()


@pytest.fixture
def corpus(tmp_path: Path, folder: Remote) -> Path:
    """Two files with row groups of seven rows, in a folder and in the bucket."""
    for name in ("a", "b"):
        path = corpora.write(tmp_path / "in" / f"{name}.parquet", corpora.plain(40), row_group_size=7)
        objects.publish(folder / "in" / path.name, path.read_bytes())
    return tmp_path / "in"


def test_a_corpus_in_a_bucket_is_read_as_one_in_a_folder(corpus: Path, folder: Remote) -> None:
    here, there = read_inputs([str(corpus)], COLUMNS), read_inputs([f"{folder}/in"], COLUMNS)
    assert there.schema == here.schema
    assert there.row_groups == here.row_groups
    assert [file.footer_sha256 for file in there.files] == [file.footer_sha256 for file in here.files]
    units = list(plan_units(there.row_groups, 9))
    wanted = [units[3], units[1], units[7]]
    assert list(read_units(there.sources, wanted, there.schema)) == list(read_units(here.sources, wanted, here.schema))


def test_a_corpus_that_has_not_changed_is_known_by_the_listing_alone(
    corpus: Path, folder: Remote, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = read_inputs([f"{folder}/in"], COLUMNS)
    monkeypatch.setattr("ray_qa.data.parquet_files.open_parquet", lambda _: pytest.fail("was opened"))
    assert read_inputs([f"{folder}/in"], COLUMNS, known) == known
    monkeypatch.undo()
    objects.publish(folder / "in" / "a.parquet", (corpus / "b.parquet").read_bytes()[::-1])
    with pytest.raises(InputError, match=r"a\.parquet does not end as one: it is truncated or something else"):
        read_inputs([f"{folder}/in"], COLUMNS, known)


def test_training_rows_and_gold_are_read_from_a_bucket_in_all_their_forms(tmp_path: Path, folder: Remote) -> None:
    answers = pa.array([{"text": ["Ann"], "answer_start": [0]}])
    table = pa.table({"id": ["1"], "question": ["Who?"], "context": ["Ann sings."], "answers": answers})
    pq.write_table(table, tmp_path / "rows.parquet")
    (tmp_path / "rows.jsonl").write_text(
        '\n{"id": "1", "question": "Who?", "context": "Ann sings.", '
        '"answers": {"text": ["Ann"], "answer_start": [0]}}\n'
    )
    (tmp_path / "rows.json").write_text(
        '{"data": [{"paragraphs": [{"context": "Ann sings.", "qas": '
        '[{"id": "1", "question": "Who?", "answers": [{"text": "Ann", "answer_start": 0}]}]}]}]}'
    )
    for path in tmp_path.glob("rows.*"):
        objects.publish(folder / path.name, path.read_bytes())
        here = Examples(sources=(str(path),), setting="train")
        there = Examples(sources=(f"{folder}/{path.name}",), setting="train")
        assert pa.concat_tables(read_examples(there)) == pa.concat_tables(read_examples(here))
        known = survey_examples(there)
        assert known.sha256 == survey_examples(here).sha256
        assert survey_examples(there, known) is known
        if path.suffix != ".jsonl":
            assert read_gold(f"{folder}/{path.name}", "id").by_id() == {"1": ("Ann",)}
