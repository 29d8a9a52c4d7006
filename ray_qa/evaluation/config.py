"""The settings of evaluate."""

from __future__ import annotations

from pydantic import Field

from ray_qa.settings import Anonymous, LogFormatSetting, PathText, QuietSetting, Settings
from ray_qa.storage.credentials import Access
from ray_qa.storage.remote import place_of


class EvaluateConfig(Settings):
    """Judge predictions against gold answers: SQuAD exact match and F1."""

    predictions: PathText = Field(min_length=1, description="A folder that annotate wrote, or a JSON file {id: text}.")
    gold: PathText = Field(
        min_length=1,
        description="Rows with a column answers, or SQuAD JSON: a file, folder or glob of Parquet, JSONL, JSON or "
        "Arrow, plain or .gz or .zst; or a data set, as NAME:SPLIT or a saved folder.",
    )
    id_column: str = Field("id", min_length=1, description="Column that ties predictions to gold rows.")
    prefix: str = Field("", description="The --prefix that annotate was given.")
    output: PathText | None = Field(None, description="Also write the scores to this JSON file.")
    log_format: LogFormatSetting = "text"
    quiet: QuietSetting = False
    anonymous: Anonymous = False

    @property
    def access(self) -> Access:
        """In whose name buckets are opened."""
        output = None if self.output is None else place_of(self.output, "output")
        return Access(anonymous=self.anonymous, output=output)
