"""The settings of evaluate."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, NonNegativeInt

from ray_qa.settings import Anonymous, Group, LogFormatSetting, PathText, QuietSetting, Settings, Texts
from ray_qa.storage.credentials import Access
from ray_qa.storage.remote import place_of


class EvaluateConfig(Settings):
    """Judge predictions against gold answers: SQuAD exact match and F1, where they fail, and against other predictions.

    ray-qa evaluate --predictions answers
    ray-qa evaluate --predictions answers --gold dev.parquet --by title --output scores.json
    ray-qa evaluate --predictions predictions.json --gold dev-v2.0.json --compare other.json
    """

    predictions: PathText = Field(min_length=1, description="A folder that annotate wrote, or a JSON file {id: text}.")
    gold: Annotated[PathText | None, Group.INPUT] = Field(
        None,
        min_length=1,
        description="Rows with a column answers, or SQuAD JSON: a file, folder or glob of Parquet, JSONL, JSON or "
        "Arrow, plain or .gz or .zst; or a data set, as NAME:SPLIT or a saved folder; unless given: the column answers "
        "that the predictions have kept.",
    )
    compare: Annotated[PathText | None, Group.INPUT] = Field(
        None, min_length=1, description="Other predictions of the same rows: which are better, and what changed."
    )
    by: Annotated[Texts, Group.INPUT] = Field(
        (), description="Columns of the predictions to break figures down by, beside what is always shown."
    )
    id_column: Annotated[str, Group.INPUT] = Field(
        "id", min_length=1, description="Column that ties predictions to gold rows."
    )
    prefix: Annotated[str, Group.INPUT] = Field(
        "", description="What stands before annotate's columns in a folder whose plan is gone."
    )
    partial: Annotated[bool, Group.INPUT] = Field(
        False, description="Judge what is there of an output that is not finished."
    )
    seed: Annotated[NonNegativeInt, Group.OUTPUT] = Field(
        0, description="Of the intervals, which are drawn by the bootstrap."
    )
    output: Annotated[PathText | None, Group.OUTPUT] = Field(
        None, description="Also write all figures, and the whole threshold curve, to this JSON file."
    )
    log_format: LogFormatSetting = "text"
    quiet: QuietSetting = False
    anonymous: Anonymous = False

    @property
    def access(self) -> Access:
        """In whose name buckets are opened."""
        output = None if self.output is None else place_of(self.output, "output")
        return Access(anonymous=self.anonymous, output=output)
