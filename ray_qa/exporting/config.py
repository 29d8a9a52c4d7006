"""The settings of export."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from ray_qa.data.parts import Compression
from ray_qa.outgoing.destination import STANDARD_OUTPUT, access_for
from ray_qa.runs.output_folder import OutputText
from ray_qa.settings import Anonymous, Group, LogFormatSetting, PathText, QuietSetting, Settings, Texts
from ray_qa.storage.credentials import Access

FORM_OF = {
    "na_probs": ("squad",),
    "spans": ("squad",),
    "labels_config": ("label-studio",),
    "rows_per_file": ("parquet",),
    "compression": ("parquet",),
    "columns": ("jsonl", "csv", "label-studio", "parquet"),
}
"""Settings that only some forms have."""


class ExportConfig(Settings):
    """Hand the answers of an annotate output on, in a form that others read.

    ray-qa export --input answers --to squad --output predictions.json
    ray-qa export --input answers --to csv --columns id question answer confidence --output answers.csv
    ray-qa export --input s3://bucket/answers --to jsonl --output - | head
    """

    input: PathText = Field(min_length=1, description="A folder that annotate wrote, or its URL in a bucket.")
    to: Literal["squad", "jsonl", "csv", "label-studio", "parquet"] = Field(
        description="squad: {id: text} for the official scripts; parquet: larger files in a folder for the hub."
    )
    output: OutputText = Field(
        description="File to write, or its URL in a bucket; - is standard output; with parquet a folder."
    )
    id_column: Annotated[str, Group.INPUT] = Field("id", min_length=1, description="squad: column with the ids.")
    na_probs: Annotated[OutputText | None, Group.OUTPUT] = Field(
        None, description="squad: also write {id: probability of no answer} to this file, as the v2.0 script reads it."
    )
    spans: Annotated[bool, Group.OUTPUT] = Field(
        False, description="squad: give every row's best span, also where the answer is none, for --na-probs to decide."
    )
    columns: Annotated[Texts, Group.OUTPUT] = Field(
        (), description="Columns to export, of all forms but squad; all unless given."
    )
    labels_config: Annotated[OutputText | None, Group.OUTPUT] = Field(
        None, description="label-studio: also write the labelling configuration to this file."
    )
    rows_per_file: Annotated[PositiveInt, Group.OUTPUT] = Field(
        100_000, description="parquet: rows of each file but the last."
    )
    compression: Annotated[Compression, Group.OUTPUT] = Field(
        "zstd", description="parquet: how the files are compressed."
    )
    partial: Annotated[bool, Group.INPUT] = Field(
        False, description="Export what is there of an output that is not finished."
    )
    overwrite: Annotated[bool, Group.OUTPUT] = Field(False, description="Replace what an earlier export wrote.")
    log_format: LogFormatSetting = "text"
    quiet: QuietSetting = False
    anonymous: Anonymous = False

    @property
    def access(self) -> Access:
        """In whose name buckets are opened."""
        return access_for(self.output, anonymous=self.anonymous)

    @model_validator(mode="after")
    def _settings_fit_the_form(self) -> ExportConfig:
        for name, forms in FORM_OF.items():
            if self.to not in forms and getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(f"`{name}` must be left out with `to` {self.to}; it is for {', '.join(forms)}")
        return self

    @model_validator(mode="after")
    def _a_folder_is_no_stream(self) -> ExportConfig:
        if self.to == "parquet" and self.output == STANDARD_OUTPUT:
            raise ValueError("`output` must be a folder with `to` parquet, but is -")
        return self

    @model_validator(mode="after")
    def _files_are_apart(self) -> ExportConfig:
        beside = {"na_probs": self.na_probs, "labels_config": self.labels_config}
        for name, path in beside.items():
            if path is not None and path == self.output:
                raise ValueError(f"`{name}` must be another file than `output`, but both are {path}")
        return self
