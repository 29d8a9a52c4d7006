"""The settings of annotate."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from ray_qa.data.parts import Compression
from ray_qa.data.row_choice import RowChoice
from ray_qa.records import Question
from ray_qa.runs.output_folder import OutputText, output_place
from ray_qa.settings import (
    FREE,
    SETTLED,
    AutoOrCount,
    ColumnSettings,
    CorpusSettings,
    Duration,
    Group,
    LogFormatSetting,
    ModelSettings,
    PathText,
    QuietSetting,
    ReadingSettings,
    Texts,
)
from ray_qa.storage.credentials import Access
from ray_qa.storage.remote import Place

QUESTION_COLUMN = "question"


class AnnotationSettings(CorpusSettings, ReadingSettings, ModelSettings):
    """What decides how a corpus is annotated, and by how many machines."""

    input: Annotated[Texts, FREE] = Field(
        min_length=1,
        description="Files, folders, globs, or their URLs in a bucket, read in this order: Parquet, JSONL, JSON, CSV, "
        "TSV, Arrow, plain or .gz or .zst; or data sets, as NAME:SPLIT, a saved folder or hf://datasets/NAME.",
    )
    question_column: Annotated[str, Group.INPUT] = Field(QUESTION_COLUMN, description="Column that holds the question.")
    questions: Annotated[PathText | None, FREE, Group.INPUT] = Field(
        None,
        description="Ask every context these questions, instead of those in a column: rows with id and question, or a "
        "text file with one a line.",
    )
    wide: Annotated[bool, Group.OUTPUT] = Field(
        False, description="With `questions`: one row a context, and for each question a column named by its id."
    )
    keep: Annotated[Texts, Group.OUTPUT] = Field(
        (), description="Input columns to carry to the output; all unless given."
    )
    prefix: Annotated[str, Group.OUTPUT] = Field("", description="Put before the name of every column that is added.")
    unit_rows: Annotated[AutoOrCount, SETTLED, Group.MACHINES] = Field(
        "auto", description="Rows that are read, scored and committed together."
    )
    compression: Annotated[Compression, FREE, Group.OUTPUT] = Field(
        "zstd", description="How the parts are compressed: zstd is smaller, snappy is known to older readers."
    )
    replicas: Annotated[str, FREE, Group.MACHINES] = Field(
        "auto", description="Model actors: auto, N, or MIN:MAX to follow the load."
    )
    cpus_per_replica: Annotated[float | None, FREE, Group.MACHINES] = Field(
        None,
        gt=0,
        description="CPUs, and so torch threads, of each; unless given: 1, or an even share for N replicas.",
    )
    gpus_per_replica: Annotated[float | None, FREE, Group.MACHINES] = Field(
        None, ge=0, description="GPUs of one replica; unless given: 1 where the cluster has any, else 0."
    )
    skip_bad_files: Annotated[bool, FREE, Group.INPUT] = Field(
        False, description="Leave input files out that are truncated or no Parquet, and list them, instead of refusing."
    )
    log_format: LogFormatSetting = "text"
    quiet: QuietSetting = False

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

    @model_validator(mode="after")
    def _question_and_context_are_two(self) -> Self:
        if self.question_column == self.context_column:
            raise ValueError(
                f"`question_column` must be another column than `context_column`, but both are {self.context_column!r}"
            )
        return self

    @model_validator(mode="after")
    def _questions_come_from_one_place(self) -> Self:
        if self.questions is not None and self.question_column != QUESTION_COLUMN:
            raise ValueError(
                "`question_column` must be left out with `questions`, which are asked instead, but is "
                f"{self.question_column!r}"
            )
        return self

    @model_validator(mode="after")
    def _wide_is_for_questions(self) -> Self:
        if self.wide and self.questions is None:
            raise ValueError("`wide` must be left out unless `questions` names a set, but there is none")
        return self

    @model_validator(mode="after")
    def _text_files_are_asked_a_set(self) -> Self:
        if self.context_from == "files" and self.questions is None:
            raise ValueError(
                "`questions` must name a set with `context_from` files, as text files have no column of questions, but "
                "there is none"
            )
        return self

    @model_validator(mode="after")
    def _device_and_gpus_agree(self) -> Self:
        if self.device.startswith("cuda:"):
            raise ValueError(
                f"`device` must be auto, cpu, cuda or mps, as Ray gives each replica its card, but is {self.device!r}"
            )
        if self.runs_on in ("cpu", "mps") and self.gpus_per_replica:
            raise ValueError(
                f"`gpus_per_replica` must be 0 with `device` {self.runs_on}, but is {self.gpus_per_replica:g}"
            )
        if self.device == "cuda" and self.gpus_per_replica == 0:
            raise ValueError("`gpus_per_replica` must be above 0 with `device` cuda, but is 0")
        return self

    @property
    def choice(self) -> RowChoice:
        """Which rows of the input are taken."""
        return RowChoice(limit=self.limit, sample=self.sample, seed=self.seed)


class AnnotateConfig(AnnotationSettings):
    """Answer every row of a corpus and write the answers to Parquet.

    ray-qa annotate --input corpus.parquet --output first-try --limit 100
    ray-qa annotate --input corpus.parquet --output answers --model deepset/roberta-base-squad2 --n-best 3
    ray-qa annotate --input documents.jsonl --questions questions.txt --wide --output answers
    ray-qa annotate --input 'contracts/*.txt' --context-from files --questions questions.txt --output answers
    ray-qa annotate --input s3://bucket/corpus --output s3://bucket/answers --replicas 4:32
    ray-qa annotate --config job.yaml --overwrite
    """

    output: Annotated[OutputText, FREE] = Field(
        description="Folder for the annotated parts, or its URL in a bucket; run again to resume."
    )
    calibration: Annotated[Texts, FREE, Group.MODEL] = Field(
        (), description="Parquet rows to calibrate int8 on; rows of the input, drawn at random, unless given."
    )
    min_agreement: Annotated[float, FREE, Group.MODEL] = Field(
        0.85, ge=0, le=1, description="Refuse int8 where fewer answers than this fraction equal those of float32."
    )
    card: Annotated[bool, FREE, Group.OUTPUT] = Field(
        False,
        description="Write a data card, README.md, beside the parts; pandas and Arrow then want the parts by name.",
    )
    report: Annotated[bool, FREE, Group.OUTPUT] = Field(
        False, description="Write a page of what came out, .ray_qa/report.html, at the end."
    )
    max_failed: Annotated[float, FREE, Group.OUTPUT] = Field(
        1.0, ge=0, le=1, description="Exit with code 3 above this fraction of failed rows."
    )
    overwrite: Annotated[bool, FREE, Group.OUTPUT] = Field(
        False, description="Start again: remove what an earlier run wrote to the output."
    )
    retry_failed: Annotated[bool, FREE, Group.OUTPUT] = Field(
        False, description="Score units again whose rows failed for a reason that may pass, such as worker_died."
    )
    verify: Annotated[bool, FREE, Group.OUTPUT] = Field(
        False, description="Open every part of a finished output, not only count them."
    )
    profile: Annotated[bool, FREE, Group.OUTPUT] = Field(
        False, description="Say at the end, and in run.json, which step took how long."
    )
    wait_for_nodes: Annotated[Duration, FREE, Group.MACHINES] = Field(
        "15m", description="How long to wait for nodes where the cluster may grow: 90s, 15m, 2h."
    )
    ray_address: Annotated[str | None, FREE, Group.MACHINES] = Field(
        None,
        description="HOST:PORT of the Ray cluster to use; unless given: RAY_ADDRESS, else a private cluster on this "
        "machine.",
    )

    @model_validator(mode="after")
    def _calibration_is_for_int8(self) -> AnnotateConfig:
        if self.calibration and self.dtype != "int8":
            raise ValueError(f"`calibration` must be left out unless `dtype` is int8, but `dtype` is {self.dtype}")
        return self

    @property
    def folder(self) -> Place:
        """Where the output is to lie."""
        return output_place(self.output)

    @property
    def access(self) -> Access:
        """In whose name buckets are opened."""
        return Access(anonymous=self.anonymous, output=self.folder)

    def columns(self, questions: Sequence[Question] = ()) -> ColumnSettings:
        """What is read and what is added, where so many questions are asked of every context."""
        return ColumnSettings(
            question=self.question_column,
            context=self.context_column,
            keep=self.keep,
            prefix=self.prefix,
            n_best=self.n_best,
            answers_per_row=self.answers_per_row,
            questions=tuple(question.id for question in questions),
            wide=self.wide,
        )
