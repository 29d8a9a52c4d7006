"""A finished finetune run, as those that write it down are told of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from ray_qa.data.examples import ExamplesSummary
from ray_qa.finetuning.checkpoints import ProcessGroupShape
from ray_qa.finetuning.config import FinetuneConfig
from ray_qa.finetuning.job import TrainingJob
from ray_qa.finetuning.label_counts import LabelCounts
from ray_qa.finetuning.output import TrainingPlan
from ray_qa.finetuning.summary import FinetuneSummary
from ray_qa.finetuning.tracking.metrics_log import Metrics
from ray_qa.reader.arithmetic import Arithmetic
from ray_qa.reader.model_files import EMBEDDED, ModelFiles
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
        settings=deciding_settings(of) | {"dtype": "float32"},
        weights_sha256="w",
        tokenizer_sha256="t",
        train=rows,
        eval=judged,
    )


COMMIT = "8f3b0a1c" * 5


def job(of: FinetuneConfig) -> TrainingJob:
    """What its workers were told; the base is taken for one of the hub's unless it is a folder that is there."""
    folder = Path(of.model).expanduser()
    name, _, _ = of.model.partition("@")
    if of.model == "embedded":
        base = _base(of.model, EMBEDDED)
    elif folder.is_dir():
        base = _base(str(folder.resolve()), folder.resolve())
    else:
        base = _base(f"{name}@{COMMIT}", Path("/nowhere/snapshots") / COMMIT)
    return TrainingJob(
        config=of,
        base=base,
        arithmetic=Arithmetic(device="cpu", dtype="float32", batch_tokens=4_096),
        threads=1,
    )


def _base(ref: str, folder: Path) -> ModelFiles:
    return ModelFiles(ref=ref, folder=folder, weights_sha256="w", tokenizer_sha256="t")
