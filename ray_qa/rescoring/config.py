"""The settings of rescore."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from ray_qa.runs.output_folder import OutputText, output_place
from ray_qa.settings import FREE, Anonymous, Group, LogFormatSetting, PathText, QuietSetting, Settings
from ray_qa.storage.credentials import Access
from ray_qa.storage.remote import Place

RULES = ("null_threshold", "always_answer", "target_precision")
"""What says when there is no answer; a calibration does too, unless one of these is given."""


class RescoreConfig(Settings):
    """Give a finished corpus the outcomes of another threshold, from the scores that annotate stored: without a model.

    ray-qa rescore --input answers --output stricter --null-threshold -2.5
    ray-qa rescore --input answers --output calibrated --calibration ray_qa.json
    ray-qa rescore --input answers --output promised --target-precision 0.95 --gold reviewed.json
    """

    input: Annotated[PathText, FREE] = Field(
        min_length=1, description="A folder that annotate or rescore wrote, or its URL in a bucket."
    )
    output: Annotated[OutputText, FREE] = Field(
        description="Folder for the same parts with other outcomes, or its URL in a bucket; run again to resume."
    )
    null_threshold: Annotated[float | None, Group.ANSWERS] = Field(
        None, allow_inf_nan=False, description="No answer where null score − best span score is above this."
    )
    always_answer: Annotated[bool, Group.ANSWERS] = Field(
        False, description="Never abstain: give the best span of every row that could be read."
    )
    calibration: Annotated[PathText | None, FREE, Group.ANSWERS] = Field(
        None,
        min_length=1,
        description="What `ray-qa calibrate` fitted, a file or a model's folder: its threshold, unless another is "
        "given, and its confidence.",
    )
    target_precision: Annotated[float | None, FREE, Group.ANSWERS] = Field(
        None,
        gt=0,
        lt=1,
        description="Choose the threshold such that at least this fraction of what is answered is right; with `gold`.",
    )
    confidence: Annotated[float, FREE, Group.ANSWERS] = Field(
        0.95, gt=0.5, lt=1, description="With `target_precision`: how sure that promise is to be."
    )
    gold: Annotated[PathText | None, FREE, Group.ANSWERS] = Field(
        None,
        min_length=1,
        description="With `target_precision`: gold answers to rows of the input that were drawn at random, as "
        "`ray-qa sample --random` draws them; in any form that evaluate takes.",
    )
    right_when: Annotated[Literal["exact", "f1"], FREE, Group.ANSWERS] = Field(
        "exact", description="With `target_precision`: right is an exact match, or an F1 of at least 0.5."
    )
    id_column: Annotated[str, FREE, Group.INPUT] = Field(
        "id", min_length=1, description="Column that ties rows of the input to gold answers."
    )
    partial: Annotated[bool, FREE, Group.INPUT] = Field(
        False,
        description="Rescore what is there of an input that is not finished; the output is not finished either. "
        "Not with `target_precision`.",
    )
    overwrite: Annotated[bool, FREE, Group.OUTPUT] = Field(
        False, description="Start again: remove what an earlier run wrote to the output."
    )
    log_format: LogFormatSetting = "text"
    quiet: QuietSetting = False
    anonymous: Anonymous = False

    @model_validator(mode="after")
    def _one_rule(self) -> RescoreConfig:
        given = [name for name in RULES if getattr(self, name) is not None and getattr(self, name) is not False]
        if not given and self.calibration is None:
            raise ValueError("`null_threshold`, or another setting that says when there is no answer, must be given")
        if len(given) > 1:
            raise ValueError(f"only one of {' and '.join(f'`{name}`' for name in given)} must be given")
        return self

    @model_validator(mode="after")
    def _gold_is_for_the_promise(self) -> RescoreConfig:
        if (self.gold is None) != (self.target_precision is None):
            there, missing = ("target_precision", "gold") if self.gold is None else ("gold", "target_precision")
            raise ValueError(f"`{missing}` must be given with `{there}`, but is not")
        if self.partial and self.target_precision is not None:
            raise ValueError(
                "`partial` must be left out with `target_precision`: what is promised of a part of the rows is not "
                "promised of all"
            )
        return self

    @property
    def folder(self) -> Place:
        """Where the output is to lie."""
        return output_place(self.output)

    @property
    def access(self) -> Access:
        """In whose name buckets are opened."""
        return Access(anonymous=self.anonymous, output=self.folder)
