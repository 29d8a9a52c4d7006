from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_qa.annotation.config import AnnotateConfig
from ray_qa.annotation.engine_used import EngineUsed
from ray_qa.annotation.output import Plan, fingerprints, finish
from ray_qa.annotation.summary import (
    RunSummary,
    as_record,
    count_answers,
    describe,
    exit_code,
    read_summary,
    run_json,
)
from ray_qa.data.parquet_files import InputFile
from ray_qa.errors import OutputError
from ray_qa.reader.answers import failed
from ray_qa.records import Answer, Status
from ray_qa.runs.part_labels import Counts
from ray_qa.runs.stretches import Stretch
from ray_qa.runs.versions import OPTIONAL, PACKAGES
from ray_qa.settings import ModelSettings, ReadingSettings, deciding_settings

CONFIG = AnnotateConfig(input=("in",), output="out", keep=("größe",))
COUNTS = Counts(rows=1_000, answered=600, no_answer=390, failed=10, questions_cut=0, windows=1_500)
SUMMARY = RunSummary(output="/out", counts=COUNTS, units=4, scored_rows=500, start_seconds=7.25, run_seconds=100.0)
FILE = InputFile(path="/in/a", size=9, mtime_ns=5, footer_sha256="f", rows=(1_000,), text_bytes=(7,))
PLAN = Plan(
    algorithm=1,
    settings={"stride": 128},
    weights_sha256="w",
    tokenizer_sha256="t",
    input=(FILE,),
    input_schema="s",
    units=(),
)


def record() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(
        run_json(CONFIG, fingerprints(PLAN), SUMMARY, EngineUsed(arithmetic="torch in float32 on cpu"))
    )
    return content


def test_run_json_holds_counts_times_settings_versions_and_fingerprints() -> None:
    content = record()
    counts = {
        "rows": 1_000,
        "answered": 600,
        "no_answer": 390,
        "failed": 10,
        "questions_cut": 0,
        "duplicates": 0,
        "windows": 1_500,
    }
    times = {"units": 4, "scored_rows": 500, "start_seconds": 7.25, "run_seconds": 100.0, "rows_per_second": 5.0}
    assert {name: content[name] for name in counts} == counts
    assert {name: content[name] for name in times} == times
    assert content["settings"] == CONFIG.model_dump(mode="json")
    assert content["settings"]["keep"] == ["größe"]
    assert content["versions"].keys() - set(OPTIONAL) == {"python", *PACKAGES}
    assert content["fingerprints"] == {
        "algorithm": 1,
        "weights_sha256": "w",
        "tokenizer_sha256": "t",
        "settings": {"stride": 128},
        "input": [json.loads(json.dumps(vars_of(FILE)))],
    }
    assert datetime.fromisoformat(content["finished"]).tzinfo is not None


def test_run_json_ends_with_how_it_went_over_time() -> None:
    stretch = Stretch(began="2026-11-05T10:00:00+00:00", seconds=10.0, node="one", rows=9, failed=1, replicas=2)
    content = json.loads(run_json(CONFIG, fingerprints(PLAN), SUMMARY, None, [stretch]))
    assert list(content)[-1] == "timeline"
    assert content["timeline"] == [
        {"began": stretch.began, "seconds": 10.0, "node": "one", "rows": 9, "failed": 1, "replicas": 2}
    ]


def test_programs_are_told_what_run_json_has_and_how_it_ended() -> None:
    told = as_record(replace(SUMMARY, exit_code=3))
    assert told == {"output": "/out", "exit_code": 3, "was_finished": False} | {
        name: value for name, value in record().items() if name in told
    }
    assert json.loads(json.dumps(told)) == told


def vars_of(file: InputFile) -> dict[str, Any]:
    return {name: getattr(file, name) for name in InputFile.__slots__}


def test_a_finished_runs_summary_is_read_back(tmp_path: Path) -> None:
    (tmp_path / ".ray_qa").mkdir()
    finish(tmp_path, run_json(CONFIG, fingerprints(PLAN), SUMMARY, EngineUsed(arithmetic="torch in float32 on cpu")))
    assert read_summary(tmp_path, 1.0) == replace(SUMMARY, output=str(tmp_path), was_finished=True)
    assert read_summary(tmp_path, 0.001).exit_code == 3


@pytest.mark.parametrize("content", [None, b"", b"[]", b"{}", b"\xff", b'{"rows": 3}'])
def test_a_run_json_that_is_not_ours_is_refused(tmp_path: Path, content: bytes | None) -> None:
    (tmp_path / ".ray_qa").mkdir()
    if content is not None:
        (tmp_path / ".ray_qa/run.json").write_bytes(content)
    with pytest.raises(OutputError, match=r"run\.json must be a run\.json of ray-qa, but is not; start again with"):
        read_summary(tmp_path, 1.0)


@pytest.mark.parametrize(
    ("failed", "max_failed", "code"),
    [(10, 1.0, 0), (10, 0.01, 0), (11, 0.01, 3), (1, 0.0, 3), (0, 0.0, 0), (1_000, 1.0, 0)],
)
def test_more_failures_than_allowed_is_exit_code_3(failed: int, max_failed: float, code: int) -> None:
    assert exit_code(Counts(rows=1_000, answered=1_000 - failed, failed=failed), max_failed) == code


def test_settings_that_decide_what_the_parts_hold_are_the_runs_identity() -> None:
    names = deciding_settings(CONFIG).keys()
    assert ReadingSettings.model_fields.keys() - {"answer_calibration"} <= names
    assert {
        "question_column",
        "context_column",
        "keep",
        "prefix",
        "backend",
        "device",
        "dtype",
        "batch_tokens",
        "unit_rows",
    } <= names
    indifferent = {"anonymous", "input", "output", "model", "replicas", "cpus_per_replica", "calibration"}
    indifferent |= {"answer_calibration", "card", "compression", "questions", "report"}
    indifferent |= {
        "gpus_per_replica",
        "log_format",
        "max_failed",
        "min_agreement",
        "overwrite",
        "profile",
        "quiet",
        "ray_address",
        "retry_failed",
        "skip_bad_files",
        "verify",
        "wait_for_nodes",
    }
    assert names | indifferent == AnnotateConfig.model_fields.keys() | ModelSettings.model_fields.keys()
    assert not names & indifferent
    assert json.loads(json.dumps(deciding_settings(CONFIG))) == deciding_settings(CONFIG)


def test_the_summary_reconciles_and_says_where_the_output_lies() -> None:
    assert describe(SUMMARY).splitlines() == [
        "1,000 rows = 600 answered + 390 no answer + 10 failed",
        "5.0 rows/s: 500 rows in 1:40 after 7 s of start-up; 4 units",
        "/out",
    ]


def test_the_summary_of_a_finished_run_says_that_there_was_nothing_to_do() -> None:
    told = describe(replace(SUMMARY, was_finished=True, units=1)).splitlines()
    assert told[1:] == ["nothing to do: an earlier run has finished this output", "/out"]
    assert describe(replace(SUMMARY, units=1, scored_rows=1)).splitlines()[1].endswith("start-up; 1 unit")


def test_the_summary_tells_of_cut_questions_duplicates_and_too_many_failures() -> None:
    counts = replace(COUNTS, questions_cut=1_200, duplicates=34)
    lines = describe(replace(SUMMARY, counts=counts, exit_code=3)).splitlines()
    assert lines[1] == "34 rows ask what an earlier one of their unit asks of the same context, and have its answer"
    assert lines[2] == "1,200 questions were longer than max_question_tokens and were cut"
    assert lines[-1] == "more rows failed than --max-failed allows: exit code 3"


# Counts


answers = st.lists(
    st.builds(
        Answer,
        status=st.sampled_from(get_args(Status)),
        windows=st.integers(0, 9),
        question_cut=st.booleans(),
    )
)


@given(answers, answers)
def test_counts_of_two_units_add_up_to_the_counts_of_both(first: list[Answer], second: list[Answer]) -> None:
    both = count_answers(first + second)
    assert count_answers(first) + count_answers(second) == both
    assert both.rows == len(first) + len(second)
    assert both.reconcile


def test_answers_are_counted_by_what_became_of_them() -> None:
    rows = [Answer(status="answered", windows=3), Answer(status="no_answer", windows=2, question_cut=True)]
    assert count_answers([*rows, failed("not_finite", windows=1), failed("context_empty")], duplicates=1) == Counts(
        rows=4, answered=1, no_answer=1, failed=2, questions_cut=1, duplicates=1, windows=6
    )


@pytest.mark.parametrize("name", ["rows", "answered", "no_answer", "failed"])
def test_counts_that_lose_or_invent_a_row_do_not_reconcile(name: str) -> None:
    counts = Counts(rows=6, answered=1, no_answer=2, failed=3)
    assert counts.reconcile
    assert not replace(counts, **{name: getattr(counts, name) + 1}).reconcile


def test_no_answers_count_as_nothing() -> None:
    assert count_answers([]) == Counts() == Counts(**dict.fromkeys(Counts.__slots__, 0))


def test_every_count_is_added() -> None:
    names = [field.name for field in fields(Counts)]
    ones = Counts(**dict.fromkeys(names, 1))
    assert ones + ones == Counts(**dict.fromkeys(names, 2))
    assert sum([ones] * 3, start=Counts()) == Counts(**dict.fromkeys(names, 3))


def test_rows_per_second_are_of_this_run_alone() -> None:
    summary = RunSummary(
        output="out", counts=Counts(rows=900), units=9, scored_rows=100, start_seconds=5.0, run_seconds=4.0
    )
    assert summary.rows_per_second == 25.0
    assert replace(summary, run_seconds=0.5).rows_per_second == 200.0
    assert replace(summary, scored_rows=0, run_seconds=0.0).rows_per_second == 0.0


def test_a_part_of_the_corpus_is_told_wherever_the_run_is(tmp_path: Path) -> None:
    part = replace(SUMMARY, part="the first 1,000 rows")
    assert describe(part).splitlines()[1] == "a part of the corpus: the first 1,000 rows"
    assert as_record(part)["part"] == "the first 1,000 rows"
    assert as_record(SUMMARY)["part"] is None
    (tmp_path / ".ray_qa").mkdir()
    finish(tmp_path, run_json(CONFIG, fingerprints(PLAN), part, None))
    assert read_summary(tmp_path, 1.0).part == "the first 1,000 rows"
