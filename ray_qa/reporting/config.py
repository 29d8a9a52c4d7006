"""The settings of report."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ray_qa.runs.output_folder import OutputText
from ray_qa.settings import Anonymous, Group, LogFormatSetting, PathText, QuietSetting, Settings
from ray_qa.storage.credentials import Access
from ray_qa.storage.remote import place_of


class ReportConfig(Settings):
    """Make a page of an annotate output: how it went, how sure and how right its answers are, and rows to look at.

    ray-qa report --input answers
    ray-qa report --input answers --gold dev.parquet --output report.html
    ray-qa report --input s3://bucket/answers --partial --output report.html
    """

    input: PathText = Field(min_length=1, description="A folder that annotate wrote, or its URL in a bucket.")
    gold: Annotated[PathText | None, Group.INPUT] = Field(
        None,
        min_length=1,
        description="Gold answers, in any form that evaluate takes; unless given: the column answers, where the output "
        "has kept one.",
    )
    id_column: Annotated[str, Group.INPUT] = Field(
        "id", min_length=1, description="Column that ties rows to those of `gold`."
    )
    partial: Annotated[bool, Group.INPUT] = Field(
        False, description="Report on what is there of an output that is not finished."
    )
    output: Annotated[OutputText | None, Group.OUTPUT] = Field(
        None, description="File to write, or its URL in a bucket; unless given: .ray_qa/report.html in the output."
    )
    log_format: LogFormatSetting = "text"
    quiet: QuietSetting = False
    anonymous: Anonymous = False

    @property
    def access(self) -> Access:
        """In whose name buckets are opened."""
        return Access(anonymous=self.anonymous, output=place_of(self.output or self.input, "output"))
