"""Small training sets, and training runs without Ray: in this process, or as several processes over gloo."""

from __future__ import annotations

import pickle
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from safetensors.numpy import load_file

from ray_qa.data.example_schema import SCHEMA, Setting
from ray_qa.data.examples import Examples, survey_examples, write_examples
from ray_qa.finetuning.config import FinetuneConfig
from ray_qa.finetuning.job import TrainingJob, encode_shards
from ray_qa.finetuning.output import EVAL_ROWS, SHARDS, TRAIN_ROWS
from ray_qa.finetuning.tracking.metrics_log import METRICS, read_metrics
from ray_qa.reader.arithmetic import Arithmetic
from ray_qa.reader.model_files import find_model

WORDS = [
    "bridge",
    "castle",
    "garden",
    "harbour",
    "ladder",
    "letter",
    "lighthouse",
    "market",
    "river",
    "silver",
    "tower",
    "town",
    "window",
    "winter",
]
NUMBERS = [str(number) for number in range(1700, 2000)]


def questions(rows: int, *, seed: int = 0, unanswerable: float = 0.0, words: int = 12) -> pa.Table:
    """Rows that can be learnt: the question names a word, and the answer is the number that follows it."""
    draw = random.Random(seed)
    made = []
    for number in range(rows):
        subjects = draw.sample(WORDS, words // 2)
        years = draw.sample(NUMBERS, len(subjects))
        context = " ".join(f"{subject} {year}" for subject, year in zip(subjects, years, strict=True))
        asked = draw.randrange(len(subjects))
        answered = draw.random() >= unanswerable
        year = years[asked]
        made.append(
            {
                "id": f"q{number}",
                "question": f"which {subjects[asked]}?",
                "context": context,
                "answers": {
                    "text": [year] if answered else [],
                    "answer_start": [context.index(year)] if answered else [],
                },
            }
        )
    return pa.Table.from_pylist(made, schema=SCHEMA)


def prepared(
    folder: Path, model: Path, rows: pa.Table, *, eval_rows: pa.Table | None = None, **settings: Any
) -> TrainingJob:
    """Write rows down and encode them as finetune does before training; gives what a worker is told."""
    folder.mkdir(parents=True)
    pq.write_table(rows, folder / "rows.parquet")
    if eval_rows is not None:
        pq.write_table(eval_rows, folder / "eval.parquet")
    output = folder / "out"
    small: dict[str, Any] = {
        "max_tokens": 96,
        "stride": 16,
        "max_question_tokens": 24,
        "batch_size": 8,
        "dtype": "float32",
    }
    config = FinetuneConfig(
        model=str(model),
        train=(str(folder / "rows.parquet"),),
        eval=None if eval_rows is None else str(folder / "eval.parquet"),
        output=str(output),
        **small | settings,
    )
    (output / SHARDS).mkdir(parents=True)
    _write(config.train, "train", output / TRAIN_ROWS)
    if config.eval:
        _write((config.eval,), "eval", output / EVAL_ROWS)
    budget = config.batch_tokens if isinstance(config.batch_tokens, int) else 4_096
    arithmetic = Arithmetic(device="cpu", dtype=config.dtype, batch_tokens=budget)
    job = TrainingJob(config=config, base=find_model(config.model), arithmetic=arithmetic, threads=1)
    count = pq.read_metadata(output / TRAIN_ROWS).num_row_groups
    list(encode_shards(pa.table({"shard": list(range(count))}), job))
    return job


@contextmanager
def processes(job: TrainingJob, workers: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Start processes that train; those that still run in the end are killed."""
    output = Path(job.config.output)
    meeting = output.parent / "meeting"
    meeting.unlink(missing_ok=True)
    told = output.parent / "job.pickle"
    told.write_bytes(pickle.dumps(job))
    command = [
        sys.executable,
        "-m",
        "tests.model.finetuning.process_group_member",
        str(told),
        str(meeting),
        str(workers),
    ]
    members = [subprocess.Popen([*command, str(rank)]) for rank in range(workers)]
    try:
        yield members
    finally:
        for member in members:
            member.kill()
            member.wait()


def train_in_processes(job: TrainingJob, workers: int) -> None:
    """Train with so many processes, to the end."""
    with processes(job, workers) as members:
        assert [member.wait(240) for member in members] == [0] * workers


def losses(job: TrainingJob) -> list[float]:
    """The losses that the log tells of."""
    return [line["loss"] for line in read_metrics(Path(job.config.output) / METRICS) if "loss" in line]


def weights(job: TrainingJob) -> dict[str, Any]:
    """The exported weights, by name."""
    found: dict[str, Any] = load_file(Path(job.config.output) / "model.safetensors")
    return found


def _write(sources: tuple[str, ...], setting: Setting, path: Path) -> None:
    examples = Examples(sources=sources, setting=setting)
    write_examples(examples, path, survey_examples(examples))
