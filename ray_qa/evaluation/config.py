"""The settings of evaluate."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ray_qa.settings import Anonymous, Group, LogFormatSetting, PathText, QuietSetting, Settings
from ray_qa.storage.credentials import Access
from ray_qa.storage.remote import place_of


class EvaluateConfig(Settings):
    """Judge predictions against gold answers: SQuAD exact match and F1.

    ray-qa evaluate --predictions answers --gold dev.parquet
    ray-qa evaluate --predictions predictions.json --gold dev-v2.0.json --output scores.json
    """

    predictions: PathText = Field(min_length=1, description="A folder that annotate wrote, or a JSON file {id: text}.")
    gold: PathText = Field(
        min_length=1,
        description="Rows with a column answers, or SQuAD JSON: a file, folder or glob of Parquet, JSONL, JSON or "
        "Arrow, plain or .gz or .zst; or a data set, as NAME:SPLIT or a saved folder.",
    )
    id_column: Annotated[str, Group.INPUT] = Field(
        "id", min_length=1, description="Column that ties predictions to gold rows."
    )
    prefix: Annotated[str, Group.INPUT] = Field("", description="The --prefix that annotate was given.")
    output: Annotated[PathText | None, Group.OUTPUT] = Field(
        None, description="Also write the scores to this JSON file."
    )
    log_format: LogFormatSetting = "text"
    quiet: QuietSetting = False
    anonymous: Anonymous = False

    @property
    def access(self) -> Access:
        """In whose name buckets are opened."""
        output = None if self.output is None else place_of(self.output, "output")
        return Access(anonymous=self.anonymous, output=output)
