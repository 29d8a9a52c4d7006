"""What a training worker is told, and the stage before training: rows are encoded once, by tasks that Ray runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ray_qa.cluster.interruptions import uninterrupted
from ray_qa.data.parquet_opening import open_parquet
from ray_qa.finetuning.config import FinetuneConfig
from ray_qa.finetuning.dataset import write_shard
from ray_qa.finetuning.labelling import label_examples
from ray_qa.finetuning.output import TRAIN_ROWS, check_output_is_here, shard_path
from ray_qa.reader.arithmetic import Arithmetic
from ray_qa.reader.model_files import ModelFiles, tokenizer_here
from ray_qa.reader.tokenizer_loading import load_pair_tokenizer
from ray_qa.storage.credentials import use_access
from ray_qa.storage.places import exists


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingJob:
    """All a worker needs to know."""

    config: FinetuneConfig
    base: ModelFiles
    arithmetic: Arithmetic
    threads: int | None = None
    """Torch's own on a CPU; ``None`` leaves them as they are."""
    owner: str = ""
    """Shown by workers before they write; see ``runs.ownership.claim``."""


def encode_shards(batch: pa.Table, job: TrainingJob) -> Iterator[pa.Table]:
    """Encode the row groups that the batch lists into the output's shards; those that are there already stay."""
    # One task is one CPU's work; the tokenizer's own threads would take those of the others.
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    use_access(job.config.access)
    with uninterrupted():
        tokenizer = load_pair_tokenizer(tokenizer_here(job.base))
    folder = job.config.folder
    check_output_is_here(folder)
    with open_parquet(str(folder / TRAIN_ROWS)) as file:
        first_rows = np.cumsum([0, *(file.metadata.row_group(each).num_rows for each in range(file.num_row_groups))])
        for number in batch["shard"].to_pylist():
            path = shard_path(folder, number)
            if not exists(path):
                examples = file.read_row_group(number)
                labelled = label_examples(examples, int(first_rows[number]), tokenizer, job.config.max_question_tokens)
                write_shard(path, labelled.rows, labelled.counts)
            yield pa.table({"shard": [number]})
