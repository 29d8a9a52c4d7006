"""The settings of calibrate."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeInt, model_validator

from ray_qa.settings import Anonymous, Group, LogFormatSetting, PathText, QuietSetting, Settings
from ray_qa.storage.credentials import Access
from ray_qa.storage.remote import place_of

Optimize = Literal["f1", "exact", "none"]


class CalibrateConfig(Settings):
    """Fit a model's null threshold and confidence to gold answers, and show on other rows what that is worth.

    ray-qa calibrate --predictions answers --model my-reader
    ray-qa calibrate --predictions answers --gold dev.parquet --model my-reader --split-by title
    ray-qa calibrate --predictions answers --gold dev-v2.0.json --optimize exact --output calibrations/reader.json
    """

    predictions: PathText = Field(min_length=1, description="A folder that annotate wrote with the model.")
    gold: Annotated[PathText | None, Group.INPUT] = Field(
        None,
        min_length=1,
        description="Rows with a column answers, or SQuAD JSON, as evaluate takes them; unless given: the column "
        "answers that the predictions have kept.",
    )
    id_column: Annotated[str, Group.INPUT] = Field(
        "id", min_length=1, description="Column that ties predictions to gold rows."
    )
    split_by: Annotated[str | None, Group.INPUT] = Field(
        None,
        min_length=1,
        description="Column whose equal values fall into the same half, such as title; unless given: the context.",
    )
    partial: Annotated[bool, Group.INPUT] = Field(
        False, description="Take what is there of an output that is not finished."
    )
    optimize: Annotated[Optimize, Group.ANSWERS] = Field(
        "f1", description="What the null threshold is to make highest; none: it stays as the predictions have it."
    )
    model: Annotated[PathText | None, Group.OUTPUT] = Field(
        None,
        min_length=1,
        description="The model that made the predictions: its folder, or the URL of one, gets the calibration as "
        "ray_qa.json, and annotate, ask and Reader go by it from then on.",
    )
    output: Annotated[PathText | None, Group.OUTPUT] = Field(
        None,
        min_length=1,
        description="Put the calibration elsewhere: a folder, or a file ending in .json, for --answer-calibration.",
    )
    seed: Annotated[NonNegativeInt, Group.INPUT] = Field(
        0, description="Of the halves, and of the intervals, which are drawn by the bootstrap."
    )
    log_format: LogFormatSetting = "text"
    quiet: QuietSetting = False
    anonymous: Anonymous = False

    @model_validator(mode="after")
    def _there_is_a_place_for_it(self) -> Self:
        if self.model is None and self.output is None:
            raise ValueError("`model` must be given unless `output` says where the calibration goes, but is missing")
        return self

    @property
    def access(self) -> Access:
        """In whose name buckets are opened."""
        output = None if self.output is None else place_of(self.output, "output")
        return Access(anonymous=self.anonymous, output=output)
