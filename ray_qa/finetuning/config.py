"""The settings of finetune."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import Field, PositiveInt, field_validator, model_validator

from ray_qa.data.example_schema import ExampleColumns
from ray_qa.finetuning.lr_schedule import Schedule
from ray_qa.runs.output_folder import OutputText, output_place
from ray_qa.settings import (
    FREE,
    SETTLED,
    Anonymous,
    AutoOrCount,
    Duration,
    Group,
    LogFormatSetting,
    PathText,
    QuietSetting,
    Texts,
    WindowSettings,
)
from ray_qa.storage.credentials import Access
from ray_qa.storage.remote import Place

TRACKERS = ("tensorboard", "mlflow")


class FinetuneConfig(WindowSettings):
    """Turn an encoder into an extractive reader: data-parallel fine-tuning on questions, contexts and answers.

    ray-qa finetune --model FacebookAI/roberta-base --train rajpurkar/squad_v2 --output my-reader
    ray-qa finetune --model FacebookAI/roberta-base --train train.json --eval dev.json --workers 4 --output my-reader
    ray-qa finetune --model my-reader --train more.jsonl --learning-rate 1e-5 --freeze layers:6 --output better-reader
    """

    model: Annotated[PathText, FREE] = Field(
        min_length=1, description="The base: a folder, its URL in a bucket, or a hub id (owner/name[@revision])."
    )
    train: Annotated[Texts, FREE] = Field(
        min_length=1, description="Parquet, SQuAD JSON, JSONL (files, folders, globs), or datasets names: NAME[:SPLIT]."
    )
    output: Annotated[OutputText, FREE] = Field(
        description="Folder for the fine-tuned model, or its URL in a bucket; run again to resume."
    )
    eval: Annotated[PathText | None, FREE, Group.INPUT] = Field(
        None, min_length=1, description="Rows to judge by while training; the best checkpoint wins."
    )
    question_column: Annotated[str, FREE, Group.INPUT] = Field(
        "question", min_length=1, description="Column, or key, of questions."
    )
    context_column: Annotated[str, FREE, Group.INPUT] = Field(
        "context", min_length=1, description="Column, or key, of contexts."
    )
    answers_column: Annotated[str, FREE, Group.INPUT] = Field(
        "answers", min_length=1, description="Column, or key, of answers."
    )
    max_dropped: Annotated[float, FREE, Group.INPUT] = Field(
        0.05,
        ge=0,
        le=1,
        description="Most rows to leave out, as a fraction: malformed ones, and those whose answers do not fit.",
    )
    workers: Annotated[AutoOrCount, FREE, Group.MACHINES] = Field(
        "auto", description="Training processes; auto: one for each GPU, else one a node."
    )
    gpus_per_worker: Annotated[float | None, FREE, Group.MACHINES] = Field(
        None, ge=0, allow_inf_nan=False, description="GPUs of each; unless given: 1 where the cluster has any, else 0."
    )
    cpus_per_worker: Annotated[float | None, FREE, Group.MACHINES] = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="CPUs, and so torch threads, of each; unless given: 1, or an even share without GPUs.",
    )
    epochs: Annotated[PositiveInt, Group.TRAINING] = Field(2, description="Passes over the training windows.")
    max_steps: Annotated[PositiveInt | None, Group.TRAINING] = Field(
        None, description="Stop after so many optimizer steps, if epochs give more."
    )
    batch_size: Annotated[PositiveInt, Group.TRAINING] = Field(
        32, description="Windows in one optimizer step, over all workers."
    )
    # Free, unlike annotate's: it decides no more than rounding, and lowering it is what helps when memory runs out.
    batch_tokens: Annotated[AutoOrCount, FREE, Group.MACHINES] = Field(
        "auto",
        description="Most tokens, padding included, in one pass within a step; auto: 4,096 on CPU, 16,384 on CUDA.",
    )
    learning_rate: Annotated[float, Group.TRAINING] = Field(
        3e-5, gt=0, allow_inf_nan=False, description="Highest learning rate, of AdamW."
    )
    weight_decay: Annotated[float, Group.TRAINING] = Field(
        0.01, ge=0, allow_inf_nan=False, description="AdamW's; not for biases and norms."
    )
    warmup: Annotated[float, Group.TRAINING] = Field(
        0.05, ge=0, allow_inf_nan=False, description="Steps of warm-up; below 1 a fraction of all."
    )
    schedule: Annotated[Schedule, Group.TRAINING] = Field("linear", description="Learning rate after the warm-up.")
    max_grad_norm: Annotated[float, Group.TRAINING] = Field(
        1.0, ge=0, allow_inf_nan=False, description="Gradients are scaled down to this norm; 0: never."
    )
    dtype: Annotated[Literal["auto", "float32", "bfloat16", "float16"], SETTLED, Group.MACHINES] = Field(
        "auto",
        description="Arithmetic of the passes, float16 with loss scaling (weights stay float32); "
        "auto: float32 on CPU, bfloat16 or float16 on a GPU.",
    )
    gradient_checkpointing: Annotated[bool, FREE, Group.MACHINES] = Field(
        False, description="Compute activations twice to keep fewer in memory."
    )
    dropout: Annotated[float | None, Group.TRAINING] = Field(
        None, ge=0, lt=1, description="Dropout everywhere; unless given: as the base has it."
    )
    freeze: Annotated[str, Group.TRAINING] = Field(
        "none", description="none, embeddings, or layers:K (embeddings and the first K layers)."
    )
    negative_ratio: Annotated[float | None, Group.TRAINING] = Field(
        None,
        ge=0,
        allow_inf_nan=False,
        description="Most windows without an answer for each with one; all unless given.",
    )
    max_answer_tokens: Annotated[PositiveInt, Group.ANSWERS] = Field(
        30, description="Longest answer when judging, in tokens."
    )
    seed: Annotated[int, Group.TRAINING] = Field(
        13, ge=0, description="Of order, drawn answers, dropout and the new span head."
    )
    eval_every: Annotated[PositiveInt | None, Group.OUTPUT] = Field(
        None, description="Steps between evaluations; after every epoch unless given."
    )
    save_every: Annotated[PositiveInt, FREE, Group.OUTPUT] = Field(
        500, description="Steps between checkpoints; one is also made at every evaluation."
    )
    keep_checkpoints: Annotated[PositiveInt, FREE, Group.OUTPUT] = Field(
        2, description="Latest checkpoints to keep; the best one stays besides."
    )
    max_bad_steps: Annotated[int, FREE, Group.TRAINING] = Field(
        10, ge=0, description="Stop when more steps than this had a loss that is not finite."
    )
    log_every: Annotated[PositiveInt, FREE, Group.OUTPUT] = Field(
        10, description="Steps between two lines of metrics.jsonl."
    )
    report_to: Annotated[Texts, FREE, Group.OUTPUT] = Field(
        (), description="tensorboard, mlflow (MLFLOW_TRACKING_URI), or both."
    )
    scratch: Annotated[PathText | None, FREE, Group.MACHINES] = Field(
        None,
        min_length=1,
        description="Folder on every node to keep encoded rows and checkpoints of a bucket in meanwhile; the node's "
        "temporary folder unless given.",
    )
    overwrite: Annotated[bool, FREE, Group.OUTPUT] = Field(
        False, description="Start again: remove what an earlier run wrote to the output."
    )
    extend: Annotated[bool, FREE, Group.OUTPUT] = Field(
        False, description="Train a finished model further, with more `epochs` or `max_steps` than it had."
    )
    anonymous: Anonymous = False
    wait_for_nodes: Annotated[Duration, FREE, Group.MACHINES] = Field(
        "15m", description="How long to wait for nodes where the cluster may grow: 90s, 15m, 2h."
    )
    ray_address: Annotated[str | None, FREE, Group.MACHINES] = Field(
        None,
        description="HOST:PORT of the Ray cluster to use; unless given: RAY_ADDRESS, else a private cluster on this "
        "machine.",
    )
    log_format: LogFormatSetting = "text"
    quiet: QuietSetting = False

    @property
    def folder(self) -> Place:
        """Where the output is to lie."""
        return output_place(self.output)

    @property
    def access(self) -> Access:
        """In whose name buckets are opened."""
        return Access(anonymous=self.anonymous, output=self.folder)

    @property
    def columns(self) -> ExampleColumns:
        """What the columns of the rows are called."""
        return ExampleColumns(question=self.question_column, context=self.context_column, answers=self.answers_column)

    @model_validator(mode="after")
    def _extends_or_begins_anew(self) -> Self:
        if self.extend and self.overwrite:
            raise ValueError("`extend` and `overwrite` must not be given together: one goes on, the other starts again")
        return self

    @model_validator(mode="after")
    def _columns_are_apart(self) -> Self:
        names = {self.question_column, self.context_column, self.answers_column}
        if len(names) < 3:
            raise ValueError(
                "`question_column`, `context_column` and `answers_column` must name three columns, but are "
                f"{self.question_column!r}, {self.context_column!r} and {self.answers_column!r}"
            )
        return self

    @field_validator("gpus_per_worker")
    @classmethod
    def _a_worker_has_one_gpu_or_none(cls, value: float | None) -> float | None:
        if value not in (None, 0, 1):
            raise ValueError(f"`gpus_per_worker` must be 0 or 1, as a worker trains on one GPU, but is {value:g}")
        return value

    @field_validator("freeze")
    @classmethod
    def _freeze_is_understood(cls, value: str) -> str:
        if not re.fullmatch(r"none|embeddings|layers:\d+", value):
            raise ValueError(f"`freeze` must be none, embeddings or layers:K, but is {value!r}")
        return value

    @field_validator("report_to")
    @classmethod
    def _trackers_are_known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if name not in TRACKERS:
                raise ValueError(f"`report_to` must be of {', '.join(TRACKERS)}, but has {name!r}")
        return value
