"""The settings of ask and inspect."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, PositiveInt, field_validator

from ray_qa.settings import (
    MAX_CONTEXT_CHARS,
    Group,
    ModelSettings,
    PathText,
    QuietSetting,
    ReadingSettings,
    SpanSettings,
    Texts,
)

CONTEXT = (
    "The text to answer from; a file (UTF-8, plain or .gz or .zst) where it names one; or - for standard input, never "
    "taken for a name."
)
LONGEST = "Refuse a longer context."
MODEL = "A folder, a hub id (owner/name[@revision]), or the small embedded model."


class AskConfig(ReadingSettings, ModelSettings):
    """Answer questions from one text, at once and without Ray.

    ray-qa ask --question "Which tower leans?" --question "Since when?" --context article.txt
    ray-qa ask --question "Who was Jim Henson?" --context "Jim Henson was a nice puppet" --n-best 5
    pdftotext paper.pdf - | ray-qa ask --question "Which data set was used?" --context - --json
    """

    question: Texts = Field(min_length=1, description="A question, or several; the flag may be repeated.")
    context: str = Field(min_length=1, description=CONTEXT)
    n_best: Annotated[int, Group.ANSWERS] = Field(
        1, ge=1, le=1000, description="Best distinct spans to show; above 1 they stand below the answer."
    )
    answers_per_row: Annotated[int, Group.ANSWERS] = Field(
        1, ge=1, le=1000, description="Best spans without overlap to show; above 1 they stand below the answer."
    )
    min_confidence: Annotated[float, Group.ANSWERS] = Field(
        0.0, ge=0, le=1, description="With `answers_per_row`: leave spans of less confidence out."
    )
    max_context_chars: Annotated[PositiveInt, Group.ANSWERS] = Field(MAX_CONTEXT_CHARS, description=LONGEST)
    as_json: Annotated[bool, Group.OUTPUT] = Field(
        False, alias="json", description="Print a JSON object a question, with all scores."
    )
    quiet: QuietSetting = False

    @field_validator("dtype")
    @classmethod
    def _int8_wants_rows(cls, value: str) -> str:
        if value == "int8":
            raise ValueError("`dtype` must be another than int8, which is calibrated on many rows; use annotate")
        return value


class InspectConfig(SpanSettings):
    """Show what goes into the model for one question, and what comes out: tokens, positions, logits, labels, loss.

    ray-qa inspect --question "Who was Jim Henson?" --context "Jim Henson was a nice puppet" --answer "nice puppet"
    ray-qa inspect --question "Which tower leans?" --context article.txt --tokens 0 --html page.html
    """

    question: str = Field(min_length=1, description="The question.")
    context: str = Field(min_length=1, description=CONTEXT)
    answer: Annotated[str | None, Group.INPUT] = Field(
        None,
        description="TEXT or TEXT@CHARACTER: the answer that training would be given, and where in the context it "
        "begins; shows start_positions, end_positions and the loss. Empty for a question without an answer.",
    )
    model: Annotated[PathText, Group.MODEL] = Field("embedded", min_length=1, description=MODEL)
    n_best: Annotated[int, Group.ANSWERS] = Field(10, ge=1, le=1000, description="Best pairs of start and end to show.")
    max_context_chars: Annotated[PositiveInt, Group.ANSWERS] = Field(MAX_CONTEXT_CHARS, description=LONGEST)
    tokens: Annotated[int, Group.OUTPUT] = Field(
        40, ge=0, description="Most tokens of a window to show in the terminal, the likeliest; 0 for all."
    )
    html: Annotated[PathText | None, Group.OUTPUT] = Field(
        None, min_length=1, description="Write all of it to this file, as a page of its own."
    )
    as_json: Annotated[bool, Group.OUTPUT] = Field(False, alias="json", description="Print all of it as a JSON object.")
    quiet: QuietSetting = False
