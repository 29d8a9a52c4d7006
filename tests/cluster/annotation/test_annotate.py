from __future__ import annotations

import json
import math
from dataclasses import asdict
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ray_qa import AnnotateConfig, Reader, Row, annotate
from ray_qa.data.parquet_files import read_inputs
from ray_qa.data.schemas import output_schema, texts
from ray_qa.reader.model_files import find_model
from tests.cluster import corpora
from tests.cluster.conftest import ONE_REPLICA, SMALL_WINDOWS, Annotated
from tests.tiny import tiny_bert

REPEATED = 5
ABOVE_300 = corpora.BadRow(question=b"Who?", context=b"a" * 301, reason="context_too_long")
NUMBERS = ("start_score", "end_score", "null_score", "log_partition", "confidence")


def test_every_row_comes_out_once_and_in_order_with_all_its_columns_unchanged(annotated: Annotated) -> None:
    output = annotated.output.select(annotated.rows.schema.names)

    assert output.schema.remove_metadata() == annotated.rows.schema
    assert output["id"].to_pylist() == list(range(annotated.rows.num_rows))
    for name in annotated.rows.schema.names:
        assert _plain(output[name]) == _plain(annotated.rows[name]), name


def test_every_part_has_the_same_schema_even_where_all_its_rows_failed(annotated: Annotated) -> None:
    expected = output_schema(annotated.rows.schema, annotated.config.columns())
    tables = [pq.read_table(part) for part in annotated.parts]

    assert all(table.schema.remove_metadata() == expected for table in tables)
    assert any(set(table["status"].to_pylist()) == {"failed"} for table in tables)


def test_every_bad_row_fails_with_its_reason_and_no_good_row_does(annotated: Annotated) -> None:
    output = annotated.output

    assert output["reason"].to_pylist() == annotated.rows["expected"].to_pylist()
    for row in output.select(["status", "reason", "answer", "span", "start", *NUMBERS]).to_pylist():
        assert (row["status"] == "failed") == (row["reason"] is not None)
        if row["status"] == "failed":
            assert all(row[name] is None for name in ("answer", "span", "start", *NUMBERS))


def test_start_and_end_are_the_range_of_the_span_in_the_context(annotated: Annotated) -> None:
    scored = [row for row in _readable(annotated.output) if row["status"] != "failed"]

    assert len(scored) == annotated.summary.counts.answered + annotated.summary.counts.no_answer
    assert {row["status"] for row in scored} == {"answered", "no_answer"}
    for row in scored:
        assert row["context"][row["start"] : row["end"]] == row["span"]
        assert row["answer"] == (row["span"] if row["status"] == "answered" else None)


def test_the_answers_equal_those_of_a_reader_without_ray(annotated: Annotated) -> None:
    reader = Reader.load(annotated.config.model, settings=annotated.config, dtype="float32")
    pairs = zip(texts(annotated.rows["question"]), texts(annotated.rows["context"]), strict=True)
    answers = reader.read([Row(question=question, context=context) for question, context in pairs])
    added = ["answer", "span", "start", "end", "status", "reason", "windows", *NUMBERS]
    found = annotated.output.select(added).to_pylist()

    for row, answer in zip(found, answers, strict=True):
        for name in added:
            expected = getattr(answer, name)
            assert row[name] == (pytest.approx(expected, abs=1e-4) if isinstance(expected, float) else expected), name


def test_run_json_tells_what_was_done_and_its_counts_reconcile(annotated: Annotated) -> None:
    record = json.loads((annotated.folder / ".ray_qa" / "run.json").read_text())
    counts = annotated.summary.counts

    assert {name: record[name] for name in asdict(counts)} == asdict(counts)
    assert record["rows"] == annotated.rows.num_rows == record["answered"] + record["no_answer"] + record["failed"]
    assert record["units"] == len(annotated.parts) == annotated.summary.units
    assert record["start_seconds"] > 0
    assert sum(stretch["rows"] for stretch in record["timeline"]) == record["rows"]
    assert sum(stretch["failed"] for stretch in record["timeline"]) == record["failed"]
    assert record["rows_per_second"] == pytest.approx(record["rows"] / record["run_seconds"], rel=0.01)
    assert record["settings"] == annotated.config.model_dump(mode="json")
    assert set(record["versions"]) >= {"python", "ray", "ray_qa", "torch", "transformers", "pyarrow"}


def test_run_json_has_the_fingerprints_of_model_and_input(annotated: Annotated) -> None:
    fingerprints = json.loads((annotated.folder / ".ray_qa" / "run.json").read_text())["fingerprints"]
    model = find_model(annotated.config.model)
    files = read_inputs(annotated.config.input, annotated.config.columns()).files

    assert fingerprints["weights_sha256"] == model.weights_sha256
    assert fingerprints["tokenizer_sha256"] == model.tokenizer_sha256
    assert [file["path"] for file in fingerprints["input"]] == [file.path for file in files]
    assert [file["footer_sha256"] for file in fingerprints["input"]] == [file.footer_sha256 for file in files]


def test_a_finished_folder_holds_the_parts_the_mark_of_success_and_nothing_unfinished(annotated: Annotated) -> None:
    names = {path.name for path in annotated.folder.iterdir()}

    assert names == {".ray_qa", "_SUCCESS", *(part.name for part in annotated.parts)}
    side_files = {path.name for path in (annotated.folder / ".ray_qa").iterdir()}
    assert side_files == {"engine.json", "owner", "plan.json", "run.json", "timelines"}
    assert [part.name for part in annotated.parts][:2] == ["part-0000000.parquet", "part-0000001.parquet"]
    assert pq.read_table(annotated.folder).num_rows == annotated.rows.num_rows


@pytest.fixture(scope="module")
def with_options(ray_cluster: None, tmp_path_factory: pytest.TempPathFactory) -> Annotated:  # noqa: ARG001  # only has to be there
    """A BERT, string views, and the options that change the columns."""
    folder = tmp_path_factory.mktemp("options")
    bad = (*corpora.BAD_FOR_ANY_MODEL, *corpora.BAD_FOR_WORD_PIECE, ABOVE_300)
    rows = corpora.as_views(corpora.good_and_bad(bad, good=12))
    rows = pa.concat_tables([rows, rows.slice(0, REPEATED)])
    corpora.write(folder / "in.parquet", rows)
    config = AnnotateConfig(
        input=(str(folder / "*.parquet"),),
        output=str(folder / "out"),
        model=str(tiny_bert(folder / "bert")),
        keep=("context", "id", "expected"),
        prefix="qa_",
        n_best=3,
        answers_per_row=4,
        max_context_chars=300,
        always_answer=True,
        max_failed=0.0,
        profile=True,
        **ONE_REPLICA,
        **SMALL_WINDOWS,
    )
    return Annotated(rows=rows, config=config, summary=annotate(config))


def test_keep_and_prefix_decide_the_columns(with_options: Annotated) -> None:
    names = with_options.output.schema.names

    assert names[:4] == ["id", "expected", "context", "qa_answer"]
    assert names[-2:] == ["qa_n_best", "qa_mentions"]
    assert all(name.startswith("qa_") for name in names[3:])
    assert with_options.output["qa_reason"].to_pylist() == with_options.rows["expected"].to_pylist()


def test_n_best_lists_distinct_spans_best_first(with_options: Annotated) -> None:
    for row in _readable(with_options.output):
        spans = row["qa_n_best"]
        if row["qa_status"] == "failed":
            assert spans is None
            continue
        scores = [span["start_score"] + span["end_score"] for span in spans]
        assert len({(span["start"], span["end"]) for span in spans}) == len(spans) == 3
        assert scores == sorted(scores, reverse=True)
        assert all(row["context"][span["start"] : span["end"]] == span["text"] for span in spans)
        assert spans[0]["text"] == row["qa_answer"]
        assert math.isclose(scores[0], row["qa_start_score"] + row["qa_end_score"])


def test_mentions_list_spans_that_do_not_overlap(with_options: Annotated) -> None:
    for row in _readable(with_options.output):
        mentions = row["qa_mentions"]
        if row["qa_status"] == "failed":
            assert mentions is None
            continue
        assert 1 < len(mentions) <= 4
        places = sorted((one["start"], one["end"]) for one in mentions)
        assert all(first[1] <= second[0] for first, second in pairwise(places))
        assert all(row["context"][one["start"] : one["end"]] == one["text"] for one in mentions)
        assert mentions[0]["text"] == row["qa_span"]
        assert math.isclose(mentions[0]["confidence"], row["qa_confidence"])


def test_rows_that_repeat_have_the_answers_of_the_first_and_are_counted(with_options: Annotated) -> None:
    answers = with_options.output.drop_columns(["context"]).to_pylist()
    assert answers[-REPEATED:] == answers[:REPEATED]
    assert with_options.summary.counts.duplicates == REPEATED
    assert json.loads((with_options.folder / ".ray_qa" / "run.json").read_text())["duplicates"] == REPEATED


def test_always_answer_leaves_no_row_without_an_answer_but_the_failed(with_options: Annotated) -> None:
    assert set(with_options.output["qa_status"].to_pylist()) == {"answered", "failed"}


def test_a_profile_says_where_the_time_went_from_the_call_to_the_last_step(with_options: Annotated) -> None:
    summary = with_options.summary
    assert summary.profile is not None
    laps = {lap.name: lap.seconds for lap in summary.profile.start_up}
    assert math.isclose(sum(laps.values()), summary.start_seconds, abs_tol=1e-3)
    assert min(laps["checks"], laps["loading the model"], laps["a first pass"]) > 0
    assert all(seconds > 0 for name, seconds in asdict(summary.profile.steps).items() if name not in ("wait", "ray"))
    record = json.loads((with_options.folder / ".ray_qa" / "run.json").read_text())
    assert record["profile"] == summary.profile.as_record()


def test_more_failed_rows_than_allowed_are_exit_code_3_and_the_output_is_still_complete(
    with_options: Annotated,
) -> None:
    assert with_options.summary.exit_code == 3
    assert with_options.output.num_rows == with_options.rows.num_rows
    assert (with_options.folder / "_SUCCESS").exists()


def _plain(column: pa.ChunkedArray) -> list[Any]:
    """Values that compare as they are, whatever their encoding; bytes where they are no text."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        binary = pa.large_binary() if pa.types.is_large_string(column.type) else pa.binary()
        column = pa.chunked_array([chunk.view(binary) for chunk in column.chunks], type=binary)
    values: list[Any] = column.to_pylist()
    return values


def _readable(table: pa.Table) -> list[dict[str, Any]]:
    """Rows as mappings; a context that is no UTF-8 comes with surrogates."""
    index = table.schema.get_field_index("context")
    others = table.drop_columns(["context", *({"question"} & set(table.schema.names))]).to_pylist()
    contexts = texts(table.column(index))
    return [{**row, "context": context} for row, context in zip(others, contexts, strict=True)]
