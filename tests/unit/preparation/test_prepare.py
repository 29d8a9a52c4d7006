from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ray_qa.data.examples import Examples, read_examples
from ray_qa.data.gold import read_gold
from ray_qa.data.offset_units import OffsetUnit
from ray_qa.errors import InputError, OutputError
from ray_qa.preparation import sources
from ray_qa.preparation.counts import Counts
from ray_qa.preparation.summary import describe
from tests.unit.preparation.files import (
    ALL,
    ANCHOR,
    CONTEXTS,
    EMPTY,
    ENCODINGS,
    GOOD,
    NOWHERE,
    TWICE,
    WITHOUT,
    counted_in,
    jsonl,
    prepared,
    row,
    rows_in,
    set_apart_in,
)


def test_rows_without_a_question_are_kept_and_told_of(tmp_path: Path, out: Path) -> None:
    rows = [GOOD, GOOD | {"question": None}, GOOD | {"question": " \n"}]
    summary = prepared(out, jsonl(tmp_path / "rows.jsonl", rows))
    assert (summary.counts.kept, summary.counts.without_question) == (3, 2)
    assert "\n2 rows of those kept will fail in annotate (question_missing, question_empty): " in describe(summary)
    assert describe(prepared(tmp_path / "one", jsonl(tmp_path / "one.jsonl", [GOOD]))).startswith(
        "1 row = 1 kept + 0 set apart\n1 answer is where"
    )


def test_every_row_is_kept_repaired_or_set_apart_with_its_reason(tmp_path: Path, out: Path) -> None:
    summary = prepared(out, jsonl(tmp_path / "rows.jsonl", ALL))
    assert rows_in(out) == [GOOD, row(1, "a red dog", ("red", 2)), WITHOUT]
    assert [(each["id"], each["set_apart_reason"]) for each in set_apart_in(out)] == [
        ("q2", "answer_not_in_context"),
        ("q3", "answer_ambiguous"),
        ("q5", "answer_empty"),
    ]
    assert [each["set_apart_from"] for each in set_apart_in(out)] == [
        f"row {number} of {tmp_path}/rows.jsonl" for number in (3, 4, 6)
    ]
    assert [{name: each[name] for name in GOOD} for each in set_apart_in(out)] == [NOWHERE, TWICE, EMPTY]
    apart = {"answer_not_in_context": 1, "answer_ambiguous": 1, "answer_empty": 1}
    assert summary.counts == Counts(rows=6, kept=3, set_apart=apart, answers=2, repaired=1)
    assert sorted(path.name for path in out.iterdir()) == [".ray_qa", "_SUCCESS", "part-0000000.parquet"]


@st.composite
def rows_with_answers(draw: st.DrawFn) -> list[dict[str, Any]]:
    rows = [row(0, ANCHOR, ("stands", ANCHOR.index("stands")))]
    for number, context in enumerate(draw(st.lists(CONTEXTS, max_size=6)), start=1):
        places = draw(st.lists(st.tuples(st.integers(0, len(context) - 1), st.integers(1, 5)), max_size=3))
        answers = [(context[at : at + length], at) for at, length in places if context[at : at + length].strip()]
        rows.append(row(number, context, *answers))
    return rows


def with_places(rows: list[dict[str, Any]], change: Any) -> list[dict[str, Any]]:
    """The rows with ``change(context, text, place)`` for every place."""
    return [
        each
        | {
            "answers": {
                "text": (texts := each["answers"]["text"]),
                "answer_start": [
                    change(each["context"], text, at)
                    for text, at in zip(texts, each["answers"]["answer_start"], strict=True)
                ],
            }
        }
        for each in rows
    ]


@pytest.mark.parametrize("unit", [unit for unit in ENCODINGS if unit != "code_points"])
@given(rows=rows_with_answers())
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_whose_places_count_other_units_come_back_exactly_as_they_were(
    tmp_path_factory: pytest.TempPathFactory, unit: OffsetUnit, rows: list[dict[str, Any]]
) -> None:
    folder = tmp_path_factory.mktemp("prepare")
    theirs = with_places(rows, lambda context, _, at: counted_in(context, at, unit))
    summary = prepared(folder / "out", jsonl(folder / "rows.jsonl", theirs))
    assert rows_in(folder / "out") == rows
    assert set_apart_in(folder / "out") == []
    changed = sum(
        here != there
        for mine, other in zip(rows, theirs, strict=True)
        for here, there in zip(mine["answers"]["answer_start"], other["answers"]["answer_start"], strict=True)
    )
    assert (summary.counts.converted, summary.counts.repaired) == (changed, 0)


@given(rows=rows_with_answers(), shift=st.integers(-3, 3))
@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_rows_that_are_off_by_some_characters_are_mended_or_set_apart_and_all_keep_their_order(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]], shift: int
) -> None:
    folder = tmp_path_factory.mktemp("prepare")
    shifted = with_places(rows, lambda _context, _text, at: at + shift)
    # Answers that can tell, and are right, keep the source from passing for one of another unit.
    anchors = [row(100 + nth, ANCHOR * 2, ("and", ANCHOR.index("and"))) for nth in range(30)]
    summary = prepared(folder / "out", jsonl(folder / "rows.jsonl", [*anchors, *shifted]))
    kept, apart = rows_in(folder / "out"), set_apart_in(folder / "out")
    unique = [
        each
        for each in rows
        if all(
            sum(each["context"][at:].startswith(text) for at in range(len(each["context"]))) == 1
            for text in each["answers"]["text"]
        )
    ]
    ids = [each["id"] for each in kept]
    assert [each for each in kept if each["id"] in {row["id"] for row in unique}] == unique
    assert sorted([*ids, *(each["id"] for each in apart)]) == sorted(each["id"] for each in [*anchors, *rows])
    assert ids == [each["id"] for each in [*anchors, *rows] if each["id"] in ids]
    for each in kept:
        for text, at in zip(each["answers"]["text"], each["answers"]["answer_start"], strict=True):
            assert each["context"][at : at + len(text)] == text
    assert summary.counts.rows == len(kept) + len(apart)


def test_converting_is_said_aloud_once_for_each_source(
    tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    at = ANCHOR.index("stands")
    theirs = jsonl(tmp_path / "a.jsonl", [row(0, ANCHOR, ("stands", counted_in(ANCHOR, at, "utf16_units")))] * 3)
    ours = jsonl(tmp_path / "b.jsonl", [row(0, ANCHOR, ("stands", at))])
    summary = prepared(out, theirs, ours)
    said = capsys.readouterr().err
    assert f"`input`: offsets of {theirs} are UTF-16 units (3 of 3 answers that can tell); they are converted" in said
    assert said.count("offsets of") == 1
    assert {each["answers"]["answer_start"][0] for each in rows_in(out)} == {at}
    assert summary.counts == Counts(rows=4, kept=4, answers=4, converted=3)
    run = json.loads((out / ".ray_qa" / "run.json").read_text())
    assert [each["offsets"]["unit"] for each in run["sources"]] == ["utf16_units", "code_points"]
    assert [each["counts"]["converted"] for each in run["sources"]] == [3, 0]


TYPES = {
    "struct of lists": pa.struct([("text", pa.list_(pa.string())), ("answer_start", pa.list_(pa.int32()))]),
    "large lists": pa.struct(
        [("answer_start", pa.large_list(pa.float64())), ("text", pa.large_list(pa.large_string())), ("x", pa.int8())]
    ),
    "list of structs": pa.list_(pa.struct([("text", pa.string()), ("x", pa.int8()), ("answer_start", pa.int64())])),
}


@pytest.mark.parametrize("kind", TYPES.values(), ids=TYPES)
def test_columns_keep_their_order_and_types_and_answers_what_else_they_hold(
    tmp_path: Path, out: Path, kind: pa.DataType
) -> None:
    stated, mended = (_as_one(kind, place) for place in (5, 2))
    columns = {
        "when": pa.array([1, 2, 3], pa.timestamp("ns")),
        "answers": pa.array([stated, None, stated], kind),
        "context": pa.array(["a red dog", None, "a red cat"]).dictionary_encode(),
        "id": pa.array([7, 8, 9], pa.int16()),
    }
    table = pa.table(columns)
    pq.write_table(table, tmp_path / "rows.parquet")
    prepared(out, tmp_path / "rows.parquet")
    found = pq.read_table(out)
    assert found.schema.equals(table.schema)
    assert found.drop(["answers"]).equals(table.drop(["answers"]))
    assert found["answers"].to_pylist() == pa.array([mended, None, mended], kind).to_pylist()


def _as_one(kind: pa.DataType, place: int) -> object:
    """An answer as its column has it."""
    if pa.types.is_list(kind):
        return [{"text": "red", "answer_start": place, "x": 3}]
    return {"text": ["red"], "answer_start": [place], "x": 3}


def test_rows_without_gold_answers_pass_as_they_are(
    tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rows.csv").write_text("context,answers\na,b\n")
    summary = prepared(out, tmp_path / "rows.csv")
    assert rows_in(out) == [{"context": "a", "answers": "b"}]
    assert summary.counts == Counts(rows=1, kept=1)
    assert "'answers' is kept as it is and not checked, as it has no answers and places: string" in (
        capsys.readouterr().err
    )


def test_that_there_are_no_gold_answers_to_check_is_said(
    tmp_path: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rows.csv").write_text("id,question,context\n1,Where?,In Ulm\n")
    prepared(out, tmp_path / "rows.csv")
    assert "no gold answers are checked, as there is no column 'answers'" in capsys.readouterr().err


def test_a_table_without_any_column_that_is_known_is_refused(tmp_path: Path, out: Path) -> None:
    (tmp_path / "rows.csv").write_text("id;question;context\n1;Where?;In Ulm\n")
    with pytest.raises(InputError, match=r"^`context_column` must name a column of the input, but is 'context'; there"):
        prepared(out, tmp_path / "rows.csv")


def test_answers_that_are_all_empty_get_the_types_of_answers(tmp_path: Path, out: Path) -> None:
    prepared(out, jsonl(tmp_path / "rows.jsonl", [WITHOUT]))
    assert pq.read_schema(out / "part-0000000.parquet").field("answers").type == pa.struct(
        [("text", pa.list_(pa.string())), ("answer_start", pa.list_(pa.int64()))]
    )


def test_sources_of_several_forms_come_in_their_order_in_one_schema(tmp_path: Path, out: Path) -> None:
    squad = {"id": "s", "question": "?", "answers": [{"text": "dog", "answer_start": 2}]}
    document = {"data": [{"title": "t", "paragraphs": [{"context": "a dog", "qas": [squad]}]}]}
    (tmp_path / "b.json.gz").write_bytes(gzip.compress(json.dumps(document).encode()))
    titled = [GOOD | {"title": None}]
    summary = prepared(
        out, jsonl(tmp_path / "z.jsonl", titled), tmp_path / "b.json.gz", jsonl(tmp_path / "a.jsonl", titled)
    )
    assert [each["id"] for each in rows_in(out)] == ["q0", "s", "q0"]
    assert len({pq.read_schema(path) for path in out.glob("*.parquet")}) == 1
    assert (summary.sources, summary.parts) == (3, 3)
    assert not (out / ".ray_qa" / "rows").exists()


def test_columns_that_folders_state_come_out_too(tmp_path: Path, out: Path) -> None:
    (tmp_path / "in" / "lang=de").mkdir(parents=True)
    jsonl(tmp_path / "in" / "lang=de" / "rows.jsonl", [GOOD])
    prepared(out, tmp_path / "in")
    assert rows_in(out) == [GOOD | {"lang": "de"}]


def test_large_sources_become_several_parts(tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "FILE_BYTES", 20_000)
    monkeypatch.setattr(sources, "ROWS_AT_ONCE", 50)
    rows = [row(nth, f"a {'very ' * 20}red dog", ("red", nth)) for nth in range(1_000)]
    summary = prepared(out, jsonl(tmp_path / "rows.jsonl", rows))
    assert summary.parts > 3
    assert [each["id"] for each in rows_in(out)] == [each["id"] for each in rows]
    assert summary.counts == Counts(rows=1_000, kept=1_000, answers=1_000, repaired=999)


def test_rows_that_are_all_set_apart_leave_a_part_with_the_schema(tmp_path: Path, out: Path) -> None:
    prepared(out, jsonl(tmp_path / "rows.jsonl", [NOWHERE]))
    assert rows_in(out) == []
    assert pq.read_schema(out / "part-0000000.parquet").names == list(NOWHERE)


def test_finetune_and_evaluate_read_what_comes_out(tmp_path: Path, out: Path) -> None:
    prepared(out, jsonl(tmp_path / "rows.jsonl", ALL))
    examples = [
        each for table in read_examples(Examples(sources=(str(out),), setting="train")) for each in table.to_pylist()
    ]
    assert [(each["id"], each["answers"], each["malformed"]) for each in examples] == [
        (each["id"], each["answers"], None) for each in rows_in(out)
    ]
    assert read_gold(str(out), "id").by_id() == {"q0": ("red",), "q1": ("red",), "q4": ()}


@pytest.mark.parametrize("name", ["squad_v1_dev_a", "squad_v2_dev_a", "xquad_de", "xquad_zh"])
def test_real_rows_come_out_equal_to_themselves(shared: Path, out: Path, name: str) -> None:
    source = shared / "data" / f"{name}.parquet"
    summary = prepared(out, source)
    assert pq.read_table(out).equals(pq.read_table(source))
    assert (summary.counts.converted, summary.counts.repaired, summary.counts.apart) == (0, 0, 0)


@pytest.mark.parametrize("unit", [unit for unit in ENCODINGS if unit != "code_points"])
def test_real_chinese_rows_are_recognised_by_their_places_in_other_units(
    shared: Path, tmp_path: Path, out: Path, unit: OffsetUnit
) -> None:
    rows = pq.read_table(shared / "data" / "xquad_zh.parquet").to_pylist()
    prepared(
        out, jsonl(tmp_path / "rows.jsonl", with_places(rows, lambda context, _, at: counted_in(context, at, unit)))
    )
    assert rows_in(out) == rows


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_a_part_of_the_input_is_prepared_with_the_numbers_that_its_rows_have_there(
    tmp_path: Path, out: Path, form: str
) -> None:
    rows = [row(number, "a red dog", ("cat", 2)) for number in range(60)]
    inputs = []
    for number, some in enumerate((rows[:40], rows[40:])):
        inputs.append(tmp_path / f"{number}.{form}")
        if form == "jsonl":
            jsonl(inputs[-1], some)
        else:
            pq.write_table(pa.Table.from_pylist(some), inputs[-1], row_group_size=7)
    summary = prepared(out, *inputs, limit=50, sample=20, seed=3)
    assert summary.counts.rows == 20
    assert summary.part == "20 of the first 50 rows, drawn with the seed 3"
    assert "a part of the input: 20 of the first 50 rows" in describe(summary)
    found = [int(each["id"][1:]) for each in set_apart_in(out)]
    assert found == sorted(set(found))
    assert 40 < found[-1] < 50
    assert [each["set_apart_from"] for each in set_apart_in(out)] == [
        f"row {number % 40 + 1} of {inputs[number // 40]}" for number in found
    ]
    with pytest.raises(OutputError, match=r"differs in `sample` \(20 there, None now\); `seed` \(3 there, 0 now\)"):
        prepared(out, *inputs, limit=50)
    assert prepared(out, *inputs, limit=50, sample=20, seed=3).part == summary.part


def test_files_beyond_the_limit_give_no_part(tmp_path: Path, out: Path) -> None:
    inputs = [jsonl(tmp_path / f"{number}.jsonl", ALL) for number in range(3)]
    assert prepared(out, *inputs, limit=4).parts == 1
    assert len(rows_in(out)) + len(set_apart_in(out)) == 4
    assert prepared(out, *inputs, limit=4).was_finished


def test_text_files_are_prepared_as_rows(tmp_path: Path, out: Path) -> None:
    (tmp_path / "a.txt").write_text("first")
    (tmp_path / "b.txt.gz").write_bytes(gzip.compress(b"second"))
    prepared(out, tmp_path / "a.txt", tmp_path / "b.txt.gz", context_from="files")
    assert rows_in(out) == [
        {"path": f"{tmp_path}/a.txt", "context": "first"},
        {"path": f"{tmp_path}/b.txt.gz", "context": "second"},
    ]
    (tmp_path / "c.txt").write_bytes(b"\xff")
    with pytest.raises(InputError, match=r"must be texts in UTF-8, but line 1 of .*c\.txt is not"):
        prepared(tmp_path / "other", tmp_path / "a.txt", tmp_path / "c.txt", context_from="files")
