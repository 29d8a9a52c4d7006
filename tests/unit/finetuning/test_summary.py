from __future__ import annotations

import io
import json
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from ray_qa.data.examples import ExamplesSummary
from ray_qa.errors import OutputError
from ray_qa.finetuning.checkpoints import ProcessGroupShape
from ray_qa.finetuning.config import FinetuneConfig
from ray_qa.finetuning.dataset import LabelCounts
from ray_qa.finetuning.output import TrainingPlan, finish, join_plan
from ray_qa.finetuning.summary import (
    FinetuneSummary,
    describe,
    model_card,
    read_summary,
    run_json,
    write_card_and_curve,
)
from ray_qa.finetuning.tracking.metrics_log import Metrics
from ray_qa.runs.versions import PACKAGES
from ray_qa.settings import deciding_settings

LABELS = LabelCounts(
    rows=1_100,
    answerable=900,
    unanswerable=100,
    dropped_rows={"context_empty": 60, "no_usable_answer": 40},
    questions_cut=3,
    answers=1_500,
    repaired=7,
    trimmed=5,
    unaligned=2,
    dropped_answers={"not_found": 1_200},
)
TWO_WORKERS = ProcessGroupShape(workers=2, device="cpu", dtype="float32", threads=1)
ONE_GPU = ProcessGroupShape(workers=1, device="cuda", dtype="bfloat16", threads=0)
SUMMARY = FinetuneSummary(
    output="/out",
    steps=5_000,
    exported_step=4_000,
    exact=61.25,
    f1=70.5,
    bad_steps=0,
    restarts=0,
    seconds=3_725.0,
    labels=LABELS,
    teams=(TWO_WORKERS,),
)
UNJUDGED = replace(SUMMARY, exact=None, f1=None, exported_step=5_000)
METRICS: list[Metrics] = [
    {"step": 4_000, "steps": 5_000, "loss": 1.5, "learning_rate": 1e-5, "bad_steps": 0},
    {"step": 4_000, "eval_exact": 61.25, "eval_f1": 70.5},
    {"step": 5_000, "steps": 5_000, "loss": 1.25, "learning_rate": 0.0, "bad_steps": 0},
    {"step": 5_000, "eval_exact": 60.0, "eval_f1": 69.0},
]


def config(**settings: Any) -> FinetuneConfig:
    return FinetuneConfig(
        **{"model": "owner/base", "train": ("squad",), "output": "out", "eval": "dev.json"} | settings
    )


def plan(of: FinetuneConfig) -> TrainingPlan:
    rows = ExamplesSummary(rows=1_100, answerable=900, sha256="d" * 64)
    judged = ExamplesSummary(rows=120, answerable=90, sha256="e" * 64) if of.eval else None
    return TrainingPlan(
        algorithm=1,
        device="cpu",
        settings=deciding_settings(of),
        weights_sha256="w",
        tokenizer_sha256="t",
        train=rows,
        eval=judged,
    )


def card(of: FinetuneConfig, summary: FinetuneSummary = SUMMARY, metrics: list[Metrics] = METRICS) -> str:
    return model_card(of, plan(of), summary, metrics)


def front_matter(text: str) -> Any:
    _, front, _ = text.split("---\n", 2)
    return yaml.safe_load(front)


# run.json


def test_run_json_holds_settings_versions_fingerprints_and_summary() -> None:
    settings = config(train=("größe.json",))
    record = json.loads(run_json(settings, plan(settings), SUMMARY))
    assert record["settings"] == settings.model_dump(mode="json")
    assert record["versions"].keys() == {"python", *PACKAGES}
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


# The model card


@pytest.mark.parametrize(
    ("model", "base"),
    [
        ("owner/base", "owner/base"),
        ("owner/base@v1.0", "owner/base"),
        ("1/2", "1/2"),
        ("o/b: {c} #d", "o/b: {c} #d"),
        ("embedded", None),
        ("FOLDER", None),
    ],
)
def test_the_front_matter_is_yaml_that_the_hub_reads(tmp_path: Path, model: str, base: str | None) -> None:
    (tmp_path / "minilm").mkdir()
    text = card(config(model=model.replace("FOLDER", str(tmp_path / "minilm"))))
    assert text.startswith("---\n")
    assert front_matter(text) == {
        "library_name": "transformers",
        "pipeline_tag": "question-answering",
        "tags": ["ray_qa"],
    } | ({"base_model": base} if base else {})
    assert f"# {'minilm' if model == 'FOLDER' else model}, fine-tuned for extractive" in text


def test_html_in_a_name_is_shown_and_not_run(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    (tmp_path / evil.replace("/", "_")).touch()
    settings = config(model=f"owner/{evil}", train=(str(tmp_path / evil.replace("/", "_")), f"data{evil}"), eval=evil)
    text = card(settings)
    assert "<script" not in text
    assert text.count("&lt;script&gt;") == 4
    assert front_matter(text)["base_model"] == f"owner/{evil}"


def test_data_sets_are_named_whole_and_files_without_where_they_lie(tmp_path: Path) -> None:
    (tmp_path / "mine.json").touch()
    settings = config(
        train=("owner/data:train", str(tmp_path / "mine.json"), str(tmp_path / "*.parquet")), eval="owner/data:test"
    )
    text = card(settings)
    assert "Trained on owner/data:train, mine.json, *.parquet: 1,100 rows" in text
    assert "F1 on owner/data:test (120 rows" in text
    assert str(tmp_path) not in text


def test_the_card_tells_data_scores_and_settings() -> None:
    text = card(config(learning_rate=1e-5), replace(SUMMARY, bad_steps=4))
    for told in (
        "1,100 rows, of which 900 with an answer\nand 100 without were used",
        "| answers used | 1,500 |",
        "| answers dropped: not_found | 1,200 |",
        "| rows dropped: context_empty | 60 |",
        "| 4,000 ← | 61.25 | 70.50 |\n| 5,000 | 60.00 | 69.00 |",
        "The weights are those after step 4,000.",
        "Last training loss: 1.250.",
        "4 steps were skipped",
        "![learning curve](learning_curve.png)",
        "5,000 steps by 2 workers on cpu in float32, 1 thread each.",
        "| learning_rate | 1e-05 |",
    ):
        assert told in text
    assert "None: no" not in text


def test_tables_of_the_card_have_no_holes() -> None:
    for text in (card(config()), card(config(eval=None), UNJUDGED, METRICS[:1])):
        tables = [block for block in text.split("\n\n") if block.startswith("|")]
        assert len(tables) >= 2
        for table in tables:
            assert all(line.startswith("|") and line.endswith("|") for line in table.strip().splitlines())
            assert len({line.count("|") for line in table.strip().splitlines()}) == 1


def test_without_evaluation_and_without_any_log_there_is_still_a_card() -> None:
    text = card(config(eval=None), UNJUDGED, [])
    assert "Not judged: no `--eval` was given." in text
    assert "Last training loss" not in text


def test_card_and_curve_lie_beside_the_model(tmp_path: Path) -> None:
    settings = config(model="größe/base")
    write_card_and_curve(tmp_path, settings, plan(settings), SUMMARY, METRICS)
    assert "# größe/base" in (tmp_path / "README.md").read_text(encoding="utf-8")
    with Image.open(io.BytesIO((tmp_path / "learning_curve.png").read_bytes())) as picture:
        assert picture.format == "PNG"
    assert len(list(tmp_path.iterdir())) == 2
