from __future__ import annotations

import json
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path

import pytest

from ray_qa.errors import OutputError
from ray_qa.finetuning.label_counts import LabelCounts
from ray_qa.finetuning.output import finish, join_plan
from ray_qa.finetuning.summary import FinetuneSummary, describe, read_summary, run_json
from ray_qa.runs.versions import OPTIONAL, PACKAGES
from tests.unit.finetuning.finished_run import ONE_GPU, SUMMARY, TWO_WORKERS, UNJUDGED, config, plan

# run.json


def test_run_json_holds_settings_versions_fingerprints_and_summary() -> None:
    settings = config(train=("größe.json",))
    record = json.loads(run_json(settings, plan(settings), SUMMARY))
    assert record["settings"] == settings.model_dump(mode="json")
    assert record["versions"].keys() - set(OPTIONAL) == {"python", *PACKAGES}
    assert record["fingerprints"] == json.loads(json.dumps(asdict(plan(settings))))
    assert record["summary"] == json.loads(json.dumps(asdict(SUMMARY)))
    assert datetime.fromisoformat(record["finished"]).tzinfo is not None


@pytest.mark.parametrize(
    "summary", [SUMMARY, UNJUDGED, replace(SUMMARY, bad_steps=3, restarts=2, teams=(TWO_WORKERS, ONE_GPU))]
)
def test_a_finished_runs_summary_is_read_back(tmp_path: Path, summary: FinetuneSummary) -> None:
    join_plan(tmp_path, plan(config()))
    finish(tmp_path, run_json(config(), plan(config()), summary))
    assert read_summary(tmp_path) == replace(summary, output=str(tmp_path), was_finished=True)


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b'{"summary": 3}',
        b'{"summary": {"labels": {}}}',
        b'{"summary": {"labels": 1}}',
    ],
)
def test_a_run_json_that_is_not_ours_is_refused(tmp_path: Path, content: bytes | None) -> None:
    (tmp_path / ".ray_qa").mkdir()
    if content is not None:
        (tmp_path / ".ray_qa/run.json").write_bytes(content)
    with pytest.raises(OutputError, match=r"run\.json must be a run\.json of ray-qa finetune, but is not; start again"):
        read_summary(tmp_path)


# The summary for people


def test_the_summary_reconciles_and_says_where_the_model_lies() -> None:
    assert describe(SUMMARY).splitlines() == [
        "1,100 rows = 900 with an answer + 100 without + 100 dropped (60 context_empty, 40 no_usable_answer)",
        "1,500 answers; 7 repaired, 5 trimmed, 2 unaligned, 1,200 dropped (1,200 not_found)",
        "5,000 steps in 1:02:05; exact 61.25, F1 70.50 after step 4,000",
        "/out",
    ]


def test_the_summary_says_no_more_than_there_is() -> None:
    assert describe(replace(UNJUDGED, labels=LabelCounts(rows=9, answerable=9, answers=9))).splitlines() == [
        "9 rows = 9 with an answer + 0 without + 0 dropped",
        "5,000 steps in 1:02:05",
        "/out",
    ]


def test_the_summary_tells_of_bad_steps_and_lost_workers() -> None:
    lines = describe(replace(SUMMARY, bad_steps=1_002, restarts=2)).splitlines()
    assert lines[3] == "1,002 steps were skipped: loss or gradient were not finite"
    assert lines[4] == "workers were lost and started again: 2 ×"


def test_the_summary_tells_that_a_resumed_run_had_other_workers() -> None:
    lines = describe(replace(SUMMARY, teams=(TWO_WORKERS, ONE_GPU))).splitlines()
    assert lines[3] == (
        "the workers changed, and with them how sums are rounded: 2 workers on cpu in float32, 1 thread each, "
        "then 1 worker on cuda in bfloat16"
    )
