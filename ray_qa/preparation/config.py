"""The settings of prepare."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from ray_qa.data.row_choice import RowChoice
from ray_qa.runs.output_folder import OutputText, output_place
from ray_qa.settings import FREE, CorpusSettings, Group, LogFormatSetting, QuietSetting, Texts
from ray_qa.storage.credentials import Access
from ray_qa.storage.remote import Place


class PrepareConfig(CorpusSettings):
    """Bring rows of any form into Parquet, and check their gold answers.

    ray-qa prepare --input dev-v2.0.json --output rows
    ray-qa prepare --input 'exports/*.jsonl.gz' --answers-column gold --output rows
    ray-qa prepare --input s3://bucket/contracts --context-from files --sample 1000 --output some
    """

    input: Annotated[Texts, FREE] = Field(
        min_length=1,
        description="Files, folders, globs, or their URLs in a bucket, read in this order: Parquet, JSONL, JSON, CSV, "
        "TSV, Arrow, plain or .gz or .zst; or data sets, as NAME:SPLIT, a saved folder or hf://datasets/NAME.",
    )
    output: Annotated[OutputText, FREE] = Field(
        description="Folder for the Parquet parts, or its URL in a bucket; run again to resume."
    )
    question_column: Annotated[str | None, Group.INPUT] = Field(
        None, min_length=1, description="Column that must hold text; unless given: question, where there is one."
    )
    answers_column: Annotated[str | None, Group.INPUT] = Field(
        None,
        min_length=1,
        description="Column that holds the gold answers, text and answer_start; unless given: answers, where there is "
        "one.",
    )
    id_column: Annotated[str | None, Group.INPUT] = Field(
        None,
        min_length=1,
        description="Column that names rows that are set apart; unless given: id, where there is one.",
    )
    overwrite: Annotated[bool, FREE, Group.OUTPUT] = Field(
        False, description="Start again: remove what an earlier run wrote to the output."
    )
    log_format: LogFormatSetting = "text"
    quiet: QuietSetting = False

    @model_validator(mode="after")
    def _columns_are_apart(self) -> PrepareConfig:
        named = [self.question_column, self.context_column, self.answers_column, self.id_column]
        for name in named:
            if name is not None and named.count(name) > 1:
                raise ValueError(
                    "`question_column`, `context_column`, `answers_column` and `id_column` must name different "
                    f"columns, but {name!r} comes twice"
                )
        return self

    @property
    def folder(self) -> Place:
        """Where the output is to lie."""
        return output_place(self.output)

    @property
    def choice(self) -> RowChoice:
        """Which rows of the input are taken."""
        return RowChoice(limit=self.limit, sample=self.sample, seed=self.seed)

    @property
    def access(self) -> Access:
        """In whose name buckets are opened."""
        return Access(anonymous=self.anonymous, output=self.folder)
