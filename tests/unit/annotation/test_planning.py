from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ray_qa.annotation.annotate import annotate
from ray_qa.annotation.config import AnnotateConfig
from ray_qa.annotation.output import Plan, check_joins, plan_digest
from ray_qa.annotation.planning import Named, check_what_is_named, plan_of
from ray_qa.data import object_tables
from ray_qa.data.part_tables import part_table
from ray_qa.data.question_sets import rows_to_read
from ray_qa.data.row_groups import read_units
from ray_qa.data.schemas import texts
from ray_qa.errors import ConfigError, InputError, OutputError
from ray_qa.records import Answer, Row

ROWS = pa.table({"question": [f"q{number}" for number in range(50)], "context": ["c"] * 50})


@pytest.fixture
def corpus(tmp_path: Path) -> str:
    pq.write_table(ROWS, tmp_path / "rows.parquet", row_group_size=20)
    return str(tmp_path / "rows.parquet")


def config(tmp_path: Path, source: str, **more: Any) -> AnnotateConfig:
    return AnnotateConfig(input=source, output=tmp_path / "out", unit_rows=8, **more)


def named(config: AnnotateConfig, tables: dict[str, pa.Table] | None = None) -> Named:
    return check_what_is_named(config, config.folder, tables or {})


def questions(of: Named, plan: Plan) -> list[str]:
    tables = read_units(of.inputs.sources, plan.units, of.inputs.schema)
    return [question for table in tables for question in table["question"].to_pylist()]


@pytest.mark.parametrize("form", ["parquet", "jsonl", "table"])
def test_a_limit_takes_the_first_rows_of_any_form(tmp_path: Path, corpus: str, form: str) -> None:
    if form == "jsonl":
        corpus = str(tmp_path / "rows.jsonl")
        pd.DataFrame(ROWS.to_pydict()).to_json(corpus, orient="records", lines=True)
    some = config(tmp_path, "rows" if form == "table" else corpus, limit=23)
    found = named(some, {"rows": ROWS} if form == "table" else None)
    plan = plan_of(some, found)
    assert questions(found, plan) == ROWS["question"].to_pylist()[:23]
    assert found.rows == 23
    assert found.inputs.rows == (50 if form == "parquet" else 23)  # no more is brought into Parquet than is wanted


def test_a_sample_is_rows_of_all_the_corpus_in_its_order(tmp_path: Path, corpus: str) -> None:
    some = config(tmp_path, corpus, sample=15, seed=3)
    found = named(some)
    drawn = questions(found, plan_of(some, found))
    assert len(set(drawn)) == 15
    assert [question for question in ROWS["question"].to_pylist() if question in drawn] == drawn
    again = named(some)
    assert questions(again, plan_of(some, again)) == drawn
    assert max(int(question[1:]) for question in drawn) >= 20  # not the first row group alone


def test_pairs_of_a_question_set_are_counted_by_the_rows_that_are_taken(tmp_path: Path, corpus: str) -> None:
    (tmp_path / "set.txt").write_text("Who?\nWhen?\nWhere?\n")
    some = config(tmp_path, corpus, limit=10, questions=str(tmp_path / "set.txt"), keep=("context",))
    found = named(some)
    assert found.rows == 30
    assert sum(unit.rows for unit in plan_of(some, found).units) == 10


def test_a_part_is_no_continuation_of_the_whole_nor_of_another_part(tmp_path: Path, corpus: str) -> None:
    plans = {}
    for choice in ({}, {"limit": 20}, {"sample": 20}, {"sample": 20, "seed": 1}):
        some = config(tmp_path, corpus, **choice)
        plans[str(choice)] = plan_of(some, named(some))
    assert len({plan_digest(plan) for plan in plans.values()}) == 4
    whole, *parts = plans.values()
    for part, message in zip(
        parts, [r"`limit` \(None there, 20 now\)", r"`sample` \(None there", "`seed`"], strict=True
    ):
        with pytest.raises(OutputError, match=message):
            check_joins(tmp_path / "out", whole, part)


def test_a_table_is_known_by_its_values_and_written_once(tmp_path: Path) -> None:
    some = config(tmp_path, "rows")
    first = named(some, {"rows": ROWS})
    (file,) = first.inputs.files
    assert Path(file.path).parent == tmp_path / "out/.ray_qa/rows"
    assert file.source == "rows"
    recut = pa.concat_tables([ROWS.slice(0, 7), ROWS.slice(7)])
    again = named(some, {"rows": recut})
    assert again.inputs.files == first.inputs.files
    assert plan_of(some, again) == plan_of(some, first)
    other = named(some, {"rows": ROWS.slice(1)})
    with pytest.raises(OutputError, match=r"differs in the input \(rows has changed\)"):
        check_joins(tmp_path / "out", plan_of(some, first), plan_of(some, other))


def test_tables_and_files_are_read_in_the_order_of_the_input(tmp_path: Path, corpus: str) -> None:
    some = AnnotateConfig(input=("more", corpus), output=tmp_path / "out")
    found = named(some, {"more": pa.table({"question": ["mine"], "context": ["c"]})})
    assert questions(found, plan_of(some, found)) == ["mine", *ROWS["question"].to_pylist()]


def test_a_table_that_the_input_does_not_name_is_refused(tmp_path: Path, corpus: str) -> None:
    with pytest.raises(ConfigError, match=r"^`input` must name every one of the `tables`, but does not name 'rows'$"):
        annotate(config(tmp_path, corpus), tables={"rows": ROWS})
    with pytest.raises(InputError, match=r"^`tables` must be a table that Arrow can hold, but dict gives: "):
        annotate(config(tmp_path, "rows"), tables={"rows": {}})  # type: ignore[dict-item]  # as users may
    with pytest.raises(InputError, match=r"^`input` must have rows, but rows has none$"):
        annotate(config(tmp_path, "rows"), tables={"rows": ROWS.slice(0, 0)})


def test_a_seed_is_for_a_sample(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^`seed` must be left out unless `sample` is given, but is 3$"):
        config(tmp_path, "rows", seed=3)
    with pytest.raises(ConfigError, match=r"^`limit` must be greater than 0, but is 0$"):
        config(tmp_path, "rows", limit=0)


@pytest.mark.parametrize("answer_calibration", ["auto", "none"])
def test_in_a_submitted_job_words_that_name_no_calibration_file_are_no_paths(
    tmp_path: Path, corpus: str, monkeypatch: pytest.MonkeyPatch, answer_calibration: str
) -> None:
    uploaded = tmp_path / "session_1/runtime_resources/working_dir_files/_ray_pkg_0123"
    uploaded.mkdir(parents=True)
    monkeypatch.chdir(uploaded)
    assert named(config(tmp_path, corpus, answer_calibration=answer_calibration)).rows == ROWS.num_rows
    with pytest.raises(InputError, match=r"^`answer_calibration` must be an absolute path in a submitted job"):
        named(config(tmp_path, corpus, answer_calibration="ray_qa.json"))


@pytest.fixture
def contracts(tmp_path: Path) -> Path:
    folder = tmp_path / "contracts"
    folder.mkdir()
    for number, text in enumerate(["first", "", "third"]):
        (folder / f"{number}.txt").write_text(text)
    (tmp_path / "set.txt").write_text("Who?\nWhen?\n")
    return folder


def test_text_files_are_contexts_of_a_question_set(tmp_path: Path, contracts: Path) -> None:
    some = config(tmp_path, str(contracts), context_from="files", questions=str(tmp_path / "set.txt"))
    found = named(some)
    assert found.rows == 6
    (table,) = read_units(found.inputs.sources, plan_of(some, found).units, found.inputs.schema)
    assert table.to_pydict() == {
        "path": [str(contracts / f"{number}.txt") for number in range(3)],
        "context": ["first", "", "third"],
    }
    asked = rows_to_read(table, some.columns(found.questions), found.questions)
    assert [(row.question, row.context) for row in asked[2:4]] == [("Who?", ""), ("When?", "")]
    (contracts / "1.txt").write_text("second")
    with pytest.raises(OutputError, match=r"differs in the input"):
        check_joins(tmp_path / "out", plan_of(some, found), plan_of(some, named(some)))


def test_bad_text_files_are_all_named_or_left_out(tmp_path: Path, contracts: Path) -> None:
    for number in range(30):
        (contracts / f"{number:02d}.bad").write_bytes(b"\xff")
    some = config(tmp_path, str(contracts), context_from="files", questions=str(tmp_path / "set.txt"))
    with pytest.raises(InputError, match="and 10 more files") as refused:
        named(some)
    assert len(refused.value.problems) == 21
    found = named(some.model_copy(update={"skip_bad_files": True}))
    assert found.rows == 6
    assert len(found.inputs.left_out) == 30


def test_text_files_have_paths_and_no_questions(tmp_path: Path, contracts: Path) -> None:
    with pytest.raises(ConfigError, match=r"^`questions` must name a set with `context_from` files, as text files"):
        config(tmp_path, str(contracts), context_from="files")
    asked = {"context_from": "files", "questions": str(tmp_path / "set.jsonl")}
    with pytest.raises(ConfigError, match=r"^`context_column` must be another column than 'path' with `context_from`"):
        config(tmp_path, str(contracts), context_column="path", **asked)
    (tmp_path / "set.jsonl").write_text('{"id": "path", "question": "Where?"}')
    with pytest.raises(InputError, match=r"no column that annotate adds, but has 'path'; rename ours with --prefix"):
        named(config(tmp_path, str(contracts), wide=True, **asked))


DIRTY = st.none() | st.sampled_from(["", " \n", "\x00", "\ud800", "🙂 רtl", '"', "x" * 3_000]) | st.text(max_size=5)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    contexts=st.lists(DIRTY, min_size=1, max_size=8),
    asked=st.lists(st.text(st.characters(codec="utf-8"), max_size=4).map("Who {}?".format), min_size=1, max_size=3),
    unit_rows=st.integers(1, 5),
    chunk_rows=st.integers(1, 3),
)
def test_of_dirty_contexts_every_pair_comes_out_once_and_in_order(
    tmp_path: Path, contexts: list[str | None], asked: list[str], unit_rows: int, chunk_rows: int
) -> None:
    (tmp_path / "rows.jsonl").write_text("\n".join(json.dumps({"context": context}) for context in contexts))
    (tmp_path / "set.jsonl").write_text(
        "\n".join(json.dumps({"id": number, "question": each}) for number, each in enumerate(asked))
    )
    some = AnnotateConfig(
        input=tmp_path / "rows.jsonl", output=tmp_path / "out", unit_rows=unit_rows, questions=tmp_path / "set.jsonl"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(object_tables, "CHUNK_ROWS", chunk_rows)
        if all(context is None for context in contexts):
            with pytest.raises(InputError, match="`context_column` must name a text column, but 'context' is null"):
                named(some)
            return
        found = named(some)
    columns, pairs = some.columns(found.questions), []
    for table in read_units(found.inputs.sources, plan_of(some, found).units, found.inputs.schema):
        rows = rows_to_read(table, columns, found.questions)
        part = part_table(table, [Answer(status="no_answer")] * len(rows), columns, {}, found.questions)
        assert part["question_id"].to_pylist() == [str(number) for number in range(len(asked))] * table.num_rows
        assert part["question"].to_pylist() == [row.question for row in rows]
        assert texts(part["context"]) == [row.context for row in rows]
        pairs += rows
    readable = [
        context.encode(errors="surrogatepass").decode(errors="surrogateescape") if context else context
        for context in json.loads(json.dumps(contexts))
    ]
    assert pairs == [Row(question=question, context=context) for context in readable for question in asked]
