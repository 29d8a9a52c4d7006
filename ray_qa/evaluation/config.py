"""The settings of evaluate."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class EvaluateConfig(BaseModel):
    """Judge predictions against gold answers: SQuAD exact match and F1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    predictions: str = Field(min_length=1, description="A folder that annotate wrote, or a JSON file {id: text}.")
    gold: str = Field(min_length=1, description="Parquet (file, folder, glob) with an answers column, or SQuAD JSON.")
    id_column: str = Field("id", min_length=1, description="Column that ties predictions to gold rows.")
    prefix: str = Field("", description="The --prefix that annotate was given.")
    output: str | None = Field(None, description="Also write the scores to this JSON file.")
