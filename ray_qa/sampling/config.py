"""The settings of sample."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from ray_qa.data.row_forms import PARQUET, has_suffix
from ray_qa.outgoing.destination import STANDARD_OUTPUT, access_for
from ray_qa.runs.output_folder import OutputText
from ray_qa.settings import Anonymous, Group, LogFormatSetting, PathText, QuietSetting, Settings, Texts
from ray_qa.storage.credentials import Access


class SampleConfig(Settings):
    """Take some rows of an annotate output for people to review, their answers filled in.

    ray-qa sample --input answers --output tasks.json --random 300 --labels-config labels.xml
    ray-qa sample --input answers --output teach.json --lowest-margin 500 --by title
    """

    input: PathText = Field(min_length=1, description="A folder that annotate wrote, or its URL in a bucket.")
    output: OutputText = Field(description="File to write, or its URL in a bucket; - is standard output.")
    random: Annotated[PositiveInt | None, Group.INPUT] = Field(
        None, description="Draw so many rows at random: what gold answers and promises are to be made of."
    )
    lowest_margin: Annotated[PositiveInt | None, Group.INPUT] = Field(
        None,
        description="Take the so many rows that are nearest to the null threshold: labels that teach a model most, and "
        "that say nothing of a corpus as a whole.",
    )
    by: Annotated[str | None, Group.INPUT] = Field(
        None, min_length=1, description="Take of each value of this column as many as its share of all rows."
    )
    seed: Annotated[NonNegativeInt, Group.INPUT] = Field(0, description="Of the draw: another number, another sample.")
    id_column: Annotated[str, Group.INPUT] = Field(
        "id", min_length=1, description="Column that tells rows apart; it is called id in tasks and SQuAD JSON."
    )
    partial: Annotated[bool, Group.INPUT] = Field(
        False, description="Take rows from what is there of an output that is not finished."
    )
    to: Annotated[Literal["label-studio", "squad", "parquet"], Group.OUTPUT] = Field(
        "label-studio",
        description="label-studio: tasks with predictions; squad: official JSON with the answers as if they were gold; "
        "parquet: the rows as they are.",
    )
    columns: Annotated[Texts, Group.OUTPUT] = Field(
        (), description="label-studio: more columns for a task's data; parquet: columns to write, all unless given."
    )
    labels_config: Annotated[OutputText | None, Group.OUTPUT] = Field(
        None, description="label-studio: also write the labelling configuration to this file."
    )
    overwrite: Annotated[bool, Group.OUTPUT] = Field(False, description="Replace what an earlier sample wrote.")
    log_format: LogFormatSetting = "text"
    quiet: QuietSetting = False
    anonymous: Anonymous = False

    @property
    def access(self) -> Access:
        """In whose name buckets are opened."""
        return access_for(self.output, anonymous=self.anonymous)

    @model_validator(mode="after")
    def _one_way_to_choose(self) -> SampleConfig:
        if (self.random is None) == (self.lowest_margin is None):
            found = "none is" if self.random is None else "both are"
            raise ValueError(f"one of `random` and `lowest_margin` must be given, but {found}")
        return self

    @model_validator(mode="after")
    def _settings_fit_the_form(self) -> SampleConfig:
        if self.labels_config is not None and self.to != "label-studio":
            raise ValueError(f"`labels_config` must be left out with `to` {self.to}; it is for label-studio")
        if self.columns and self.to == "squad":
            raise ValueError("`columns` must be left out with `to` squad; it is for label-studio and parquet")
        if self.to == "parquet" and self.output == STANDARD_OUTPUT:
            raise ValueError("`output` must be a file with `to` parquet, but is -")
        if has_suffix(self.output, PARQUET) and self.to != "parquet":
            raise ValueError(f"`to` must be parquet where `output` is {self.output}, but is {self.to}")
        if self.output.lower().endswith(".json") and self.to == "parquet":
            raise ValueError(f"`to` must be label-studio or squad where `output` is {self.output}, but is parquet")
        if self.labels_config is not None and self.labels_config == self.output:
            raise ValueError(f"`labels_config` must be another file than `output`, but both are {self.output}")
        return self
