"""What can be set, with the text that ``--help`` shows. One frozen model per trip, validated before any work."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PositiveInt, field_validator, model_validator

from ray_qa.finetuning.lr_schedule import Schedule

REPORTS = ("tensorboard", "mlflow")
AutoOrCount = Literal["auto"] | Annotated[int, Field(gt=0)]


class WindowSettings(BaseModel):
    """How questions and contexts become windows."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    max_tokens: PositiveInt = Field(384, description="Tokens in one window: question, context slice and specials.")
    stride: int = Field(128, ge=0, description="Context tokens that neighbouring windows share.")
    max_question_tokens: PositiveInt = Field(64, description="Longer questions are cut to this many tokens.")

    @model_validator(mode="after")
    def _windows_must_advance(self) -> WindowSettings:
        room = self.max_tokens - self.max_question_tokens
        if room <= 0:
            raise ValueError(
                f"`max_question_tokens` must be less than `max_tokens` ({self.max_tokens}), "
                f"but is {self.max_question_tokens}"
            )
        if self.stride >= room:
            raise ValueError(
                f"`stride` must be less than the window's room for context (at most {room}), but is {self.stride}"
            )
        return self


class ReadingSettings(WindowSettings):
    """How windows are cut and answers chosen: all that decides what an answer is, given the model."""

    max_answer_tokens: PositiveInt = Field(30, description="Longest span that can be an answer, in tokens.")
    null_threshold: float = Field(
        0.0, allow_inf_nan=False, description="No answer where null score − best span score is above this."
    )
    always_answer: bool = Field(False, description="Never abstain: give the best span, as SQuAD v1 wants it.")
    n_best: int = Field(1, ge=1, le=1000, description="Best distinct spans to give; above 1 adds the column n_best.")


class ModelSettings(BaseModel):
    """Which model, on what, and how much of it at a time."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(
        "embedded", min_length=1, description="A folder, a hub id (owner/name[@revision]), or the small embedded model."
    )
    batch_tokens: AutoOrCount = Field(
        "auto",
        description="Most tokens, padding included, in one forward pass; auto: 1,024 a CPU thread, 16,384 on CUDA.",
    )
    device: str = Field(
        "auto",
        description="auto, cpu, cuda, cuda:N or mps; auto: CUDA if any.",
    )
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="Arithmetic of the forward pass; auto: float32 on CPU, bfloat16 or float16 on a GPU."
    )

    @field_validator("device")
    @classmethod
    def _device_is_of_a_known_kind(cls, value: str) -> str:
        if not re.fullmatch(r"auto|cpu|cuda(:\d+)?|mps", value):
            raise ValueError(f"`device` must be auto, cpu, cuda, cuda:N or mps, but is {value!r}")
        return value


def _no_url(value: str) -> str:
    if "://" in value:
        raise ValueError(f"`output` must be a path this machine can write to, but is the URL {value}; mount it first")
    return value


OutputFolder = Annotated[str, Field(min_length=1), AfterValidator(_no_url)]


class AnnotateConfig(ReadingSettings, ModelSettings):
    """Answer every row of a Parquet corpus and write the answers back to Parquet."""

    input: tuple[str, ...] = Field(min_length=1, description="Parquet files, folders or globs, read in this order.")
    output: OutputFolder = Field(description="Folder for the annotated parts; run again to resume.")
    question_column: str = Field("question", description="Column that holds the question.")
    context_column: str = Field("context", description="Column that holds the context.")
    keep: tuple[str, ...] = Field((), description="Input columns to carry to the output; all unless given.")
    prefix: str = Field("", description="Put before the name of every column that is added.")
    unit_rows: AutoOrCount = Field("auto", description="Rows that are read, scored and committed together.")
    replicas: str = Field("auto", description="Model actors: auto, N, or MIN:MAX to follow the load.")
    cpus_per_replica: float | None = Field(
        None,
        gt=0,
        description="CPUs, and so torch threads, of each; unless given: 1, or an even share for N replicas.",
    )
    gpus_per_replica: float | None = Field(
        None, ge=0, description="GPUs of one replica; unless given: 1 where the cluster has any, else 0."
    )
    max_failed: float = Field(1.0, ge=0, le=1, description="Exit with code 3 above this fraction of failed rows.")
    overwrite: bool = Field(False, description="Start again: remove what an earlier run wrote to the output.")
    ray_address: str | None = Field(
        None, description="Ray cluster to use; unless given: RAY_ADDRESS, else a private cluster on this machine."
    )

    @field_validator("replicas", mode="before")
    @classmethod
    def _replicas_may_be_a_number(cls, value: object) -> object:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

    @field_validator("replicas")
    @classmethod
    def _replicas_read_as_a_range(cls, value: str) -> str:
        if value != "auto":
            match = re.fullmatch(r"(\d+)(?::(\d+))?", value)
            if match is None or int(match[1]) < 1 or (match[2] and int(match[2]) < int(match[1])):
                raise ValueError(f"`replicas` must be auto, N, or MIN:MAX with 1 ≤ MIN ≤ MAX, but is {value!r}")
        return value


class FinetuneConfig(WindowSettings):
    """Turn an encoder into an extractive reader: data-parallel fine-tuning on questions, contexts and answers."""

    model: str = Field(min_length=1, description="The base: a folder or a hub id (owner/name[@revision]).")
    train: tuple[str, ...] = Field(
        min_length=1, description="Parquet, SQuAD JSON, JSONL (files, folders, globs), or datasets names: NAME[:SPLIT]."
    )
    output: OutputFolder = Field(description="Folder for the fine-tuned model; run again to resume.")
    eval: str | None = Field(
        None, min_length=1, description="Rows to judge by while training; the best checkpoint wins."
    )
    workers: AutoOrCount = Field("auto", description="Training processes; auto: one for each GPU, else one a node.")
    gpus_per_worker: float | None = Field(
        None, ge=0, allow_inf_nan=False, description="GPUs of each; unless given: 1 where the cluster has any, else 0."
    )
    cpus_per_worker: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="CPUs, and so torch threads, of each; unless given: 1, or an even share without GPUs.",
    )
    epochs: PositiveInt = Field(2, description="Passes over the training windows.")
    max_steps: PositiveInt | None = Field(None, description="Stop after so many optimizer steps, if epochs give more.")
    batch_size: PositiveInt = Field(32, description="Windows in one optimizer step, over all workers.")
    batch_tokens: AutoOrCount = Field(
        "auto",
        description="Most tokens, padding included, in one pass within a step; auto: 4,096 on CPU, 16,384 on CUDA.",
    )
    learning_rate: float = Field(3e-5, gt=0, allow_inf_nan=False, description="Highest learning rate, of AdamW.")
    weight_decay: float = Field(0.01, ge=0, allow_inf_nan=False, description="AdamW's; not for biases and norms.")
    warmup: float = Field(0.05, ge=0, allow_inf_nan=False, description="Steps of warm-up; below 1 a fraction of all.")
    schedule: Schedule = Field("linear", description="Learning rate after the warm-up.")
    max_grad_norm: float = Field(
        1.0, ge=0, allow_inf_nan=False, description="Gradients are scaled down to this norm; 0: never."
    )
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto",
        description="Arithmetic of the passes, float16 with loss scaling (weights stay float32); "
        "auto: float32 on CPU, bfloat16 on CUDA.",
    )
    gradient_checkpointing: bool = Field(False, description="Compute activations twice to keep fewer in memory.")
    dropout: float | None = Field(None, ge=0, lt=1, description="Dropout everywhere; unless given: as the base has it.")
    freeze: str = Field("none", description="none, embeddings, or layers:K (embeddings and the first K layers).")
    negative_ratio: float | None = Field(
        None,
        ge=0,
        allow_inf_nan=False,
        description="Most windows without an answer for each with one; all unless given.",
    )
    max_answer_tokens: PositiveInt = Field(30, description="Longest answer when judging, in tokens.")
    seed: int = Field(13, ge=0, description="Of order, drawn answers, dropout and the new span head.")
    eval_every: PositiveInt | None = Field(
        None, description="Steps between evaluations; after every epoch unless given."
    )
    save_every: PositiveInt = Field(500, description="Steps between checkpoints; one is also made at every evaluation.")
    keep_checkpoints: PositiveInt = Field(2, description="Latest checkpoints to keep; the best one stays besides.")
    max_bad_steps: int = Field(10, ge=0, description="Stop when more steps than this had a loss that is not finite.")
    report_to: tuple[str, ...] = Field((), description="tensorboard, mlflow (MLFLOW_TRACKING_URI), or both.")
    overwrite: bool = Field(False, description="Start again: remove what an earlier run wrote to the output.")
    ray_address: str | None = Field(
        None, description="Ray cluster to use; unless given: RAY_ADDRESS, else a private cluster on this machine."
    )

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
    def _reports_are_known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if name not in REPORTS:
                raise ValueError(f"`report_to` must be of {', '.join(REPORTS)}, but has {name!r}")
        return value


class EvaluateConfig(BaseModel):
    """Judge predictions against gold answers: SQuAD exact match and F1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    predictions: str = Field(min_length=1, description="A folder that annotate wrote, or a JSON file {id: text}.")
    gold: str = Field(min_length=1, description="Parquet (file, folder, glob) with an answers column, or SQuAD JSON.")
    id_column: str = Field("id", min_length=1, description="Column that ties predictions to gold rows.")
    prefix: str = Field("", description="The --prefix that annotate was given.")
    output: str | None = Field(None, description="Also write the report to this JSON file.")


class DemoConfig(BaseModel):
    """Annotate the small corpus that comes with the package, and show what comes out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    output: str = Field("demo-output", min_length=1, description="Folder for the corpus and its annotations.")
