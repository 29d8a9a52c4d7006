"""Outputs of annotate with scores drawn at random, and how right they are known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ray_qa.data.schemas import ADDED_FIELDS
from ray_qa.reader.answers import confidence
from ray_qa.reader.calibration import Scale

ANSWERS = pa.struct([("text", pa.list_(pa.string())), ("answer_start", pa.list_(pa.int64()))])
KEPT = [
    pa.field("id", pa.string()),
    pa.field("title", pa.string()),
    pa.field("question", pa.string()),
    pa.field("context", pa.string()),
    pa.field("answers", ANSWERS),
]
HALF = Scale(slope=0.5, rest_slope=0.5, shift=-0.5)
WEIGHTS = "65138f72" * 8
PLAN = {"settings": {"null_threshold": 0.0, "always_answer": False}, "weights_sha256": WEIGHTS}


def drawn(rows: int, *, seed: int = 0, answerable: float = 0.3) -> list[dict[str, Any]]:
    """Rows of contexts of five, whose raw probabilities claim too much, and whose null scores are too low.

    ``answerable`` of the rows whose best span is wrong have an answer all the same.
    """
    random = np.random.default_rng(seed)
    made = []
    for number in range(rows):
        log_raw = float(-np.exp(random.normal(-2, 1.5)))
        is_exact = random.random() < confidence(log_raw, 0.0, HALF)
        has_answer = is_exact or random.random() < answerable
        margin = float(np.float32(random.normal(7 if has_answer else 1, 3)))
        made.append(row(number, margin=margin, log_raw=log_raw, gold=["gold"] if has_answer else [], exact=is_exact))
    return made


def row(number: int, *, margin: float, log_raw: float, gold: list[str], exact: bool, **more: Any) -> dict[str, Any]:
    """A row that is answered where its margin is 0 or more."""
    span, partition = "gold" if exact else "other", 1.5 - log_raw
    answered = margin >= 0
    null = 1.5 - margin
    made: dict[str, Any] = {
        "id": str(number),
        "title": f"article {number // 50}",
        "question": "Who?",
        "context": f"gold or other {number // 5}",
        "answers": {"text": gold, "answer_start": [0] * len(gold)},
        "answer": span if answered else None,
        "span": span,
        "start": 0,
        "end": len(span),
        "start_score": 0.5,
        "end_score": 1.0,
        "null_score": null,
        "log_partition": partition,
        "confidence": confidence(1.5 if answered else null, partition),
        "status": "answered" if answered else "no_answer",
        "windows": 1 + number % 2,
    }
    return made | more


def failed(number: int) -> dict[str, Any]:
    """A row that failed."""
    none = dict.fromkeys(("answer", "span", "start", "end", "null_score", "log_partition", "confidence"))
    scores = dict.fromkeys(("start_score", "end_score"))
    return row(number, margin=0, log_raw=-1, gold=["gold"], exact=False) | none | scores | {"status": "failed"}


def write(folder: Path, rows: list[dict[str, Any]], *, units: int = 1, drop: tuple[str, ...] = (), **plan: Any) -> str:
    """A folder as annotate leaves one, of one part, of so many that are planned; without some columns."""
    (folder / ".ray_qa").mkdir(parents=True)
    record = {"units": list(range(units)), "input": [{"path": "in.parquet"}], **PLAN, **plan}
    (folder / ".ray_qa" / "plan.json").write_text(json.dumps(record))
    table = pa.Table.from_pylist(rows, pa.schema([*KEPT, *ADDED_FIELDS])).drop_columns(list(drop))
    pq.write_table(table, folder / "part-0000000.parquet")
    if units == 1:
        (folder / "_SUCCESS").touch()
    return str(folder)


def model(folder: Path) -> str:
    """A folder that passes for a model."""
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").touch()
    return str(folder)
