"""Settings that commands share, with the text that ``--help`` shows; each command's own are in its ``config``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveInt,
    ValidationError,
    field_validator,
    model_validator,
)

from ray_qa.errors import ConfigError
from ray_qa.validation_messages import explain

AutoOrCount = Literal["auto"] | Annotated[int, Field(gt=0)]
AutoOrNumber = Literal["auto"] | Annotated[float, Field(allow_inf_nan=False)]


@dataclass(frozen=True, slots=True)
class Free:
    """Marks a setting that may change on a resume, as it decides nothing of the result, or a fingerprint stands for it.

    It is put into the setting's annotation. A setting without the mark decides the result.
    """


@dataclass(frozen=True, slots=True)
class Settled:
    """Marks a setting whose ``auto`` is settled once, by rows or machines, and pinned in the plan as it was settled."""


FREE, SETTLED = Free(), Settled()


class Group(StrEnum):
    """Under which heading ``--help`` shows a setting, in this order; put into the setting's annotation.

    A setting that must be given is shown before all others, whatever it is about.
    """

    REQUIRED = "required"
    INPUT = "what to read"
    ANSWERS = "what an answer is"
    TRAINING = "how it is trained"
    MODEL = "the model"
    MACHINES = "the machines"
    OUTPUT = "what comes out"


AUTO: Final = "auto"


class Settings(BaseModel):
    """A frozen set of settings, validated as it is made.

    Raises:
        ConfigError: with one line in our words for every setting that is wrong.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _switches_are_no_numbers(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        fields = cls.model_fields
        return {
            name: value if name not in fields or fields[name].annotation in (bool, str) else _no_switch(value)
            for name, value in values.items()
        }

    if not TYPE_CHECKING:  # type checkers are to see the settings themselves

        def __init__(self, **values: Any) -> None:
            try:
                super().__init__(**values)
            except ValidationError as error:
                raise ConfigError(*explain(error, type(self))) from None


def _no_switch(value: object) -> object:
    """YAML's true is no number, whatever Python thinks; as a text it is refused where a number is wanted."""
    return str(value).lower() if isinstance(value, bool) else value


def _as_text(value: object) -> object:
    return str(value) if isinstance(value, Path) else value


def _as_texts(value: object) -> object:
    """One text or path where several may be given stands for itself."""
    if isinstance(value, str | Path):
        return (str(value),)
    return tuple(map(_as_text, value)) if isinstance(value, list | tuple) else value


PathText = Annotated[str, BeforeValidator(_as_text)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_as_texts)]


Anonymous = Annotated[
    bool, FREE, Group.INPUT, Field(description="Show credentials to no bucket but the output's, as for public ones.")
]


PATH_COLUMN: Final = "path"
"""Which says of each row that is a text file where that lies."""


class CorpusSettings(Settings):
    """Which rows of a corpus are read, and where their contexts are."""

    context_column: Annotated[str, Group.INPUT] = Field(
        "context", min_length=1, description="Column that holds the context."
    )
    context_from: Annotated[Literal["column", "files"], Group.INPUT] = Field(
        "column",
        description="Where contexts come from: a column of rows; or files, each a text in UTF-8, plain or .gz or .zst, "
        "and a row, beside whose context the column path says where it lies.",
    )
    limit: Annotated[PositiveInt | None, Group.INPUT] = Field(
        None, description="Take the first so many rows of the input alone, for a first try."
    )
    sample: Annotated[PositiveInt | None, Group.INPUT] = Field(
        None, description="Take so many rows alone, drawn at random: of all, or of the first `limit`."
    )
    seed: Annotated[int, Group.INPUT] = Field(0, ge=0, description="Of the draw: another number, another sample.")
    anonymous: Anonymous = False

    @model_validator(mode="after")
    def _seed_is_that_of_the_sample(self) -> Self:
        if self.seed and self.sample is None:
            raise ValueError(f"`seed` must be left out unless `sample` is given, but is {self.seed}")
        return self

    @model_validator(mode="after")
    def _paths_have_a_column_of_their_own(self) -> Self:
        if self.texts_in == PATH_COLUMN:
            raise ValueError(
                f"`context_column` must be another column than {PATH_COLUMN!r} with `context_from` files, as that says "
                "where each file lies"
            )
        return self

    @property
    def texts_in(self) -> str | None:
        """The column to put texts into where files are contexts."""
        return self.context_column if self.context_from == "files" else None


def check_kind(config: object, kind: type[BaseModel]) -> None:
    """Raise where a command is given something else than its settings.

    Raises:
        ConfigError: saying what it wants.
    """
    if not isinstance(config, kind):
        raise ConfigError(f"the settings must be {kind.__name__}, but are {type(config).__name__}: {config!r:.60}")


def unsettled(config: BaseModel) -> frozenset[str]:
    """The names of the settings that are left to be settled: a run that is gone on with has settled them."""
    fields = type(config).model_fields.items()
    return frozenset(name for name, field in fields if SETTLED in field.metadata and getattr(config, name) == AUTO)


def deciding_settings(config: BaseModel) -> dict[str, Any]:
    """The settings that decide the result, as JSON values: what a run must share with the one it resumes."""
    free = {name for name, field in type(config).model_fields.items() if FREE in field.metadata}
    return dict(sorted(config.model_dump(mode="json", exclude=free).items()))


class WindowSettings(Settings):
    """How questions and contexts become windows."""

    max_tokens: Annotated[PositiveInt, Group.ANSWERS] = Field(
        384, description="Tokens in one window: question, context slice and specials."
    )
    stride: Annotated[int, Group.ANSWERS] = Field(
        128, ge=0, description="Context tokens that neighbouring windows share."
    )
    max_question_tokens: Annotated[PositiveInt, Group.ANSWERS] = Field(
        64, description="Longer questions are cut to this many tokens."
    )

    @model_validator(mode="after")
    def _windows_must_advance(self) -> WindowSettings:
        room = self.max_tokens - self.max_question_tokens
        if room <= 0:
            raise ValueError(
                f"`max_question_tokens` must be less than `max_tokens` ({self.max_tokens}), "
                f"but is {self.max_question_tokens}"
            )
        if self.stride >= room:
            raise ValueError(
                f"`stride` must be less than the window's room for context (at most {room}), but is {self.stride}"
            )
        return self


MAX_CONTEXT_CHARS = 4_000_000


class SpanSettings(WindowSettings):
    """How windows are cut, and which span of them, if any, is the answer."""

    max_answer_tokens: Annotated[PositiveInt, Group.ANSWERS] = Field(
        30, description="Longest span that can be an answer, in tokens."
    )
    null_threshold: Annotated[AutoOrNumber, Group.ANSWERS] = Field(
        "auto",
        description="No answer where null score − best span score is above this; auto: the model's calibration, 0 "
        "where it has none.",
    )
    answer_calibration: Annotated[PathText, FREE, Group.ANSWERS] = Field(
        "auto",
        min_length=1,
        description="What calibrates the null threshold and confidence: auto (the model's own, where calibrate has put "
        "one into its folder), none, or a folder or file that calibrate wrote.",
    )
    always_answer: Annotated[bool, Group.ANSWERS] = Field(
        False, description="Never abstain: give the best span, as SQuAD v1 wants it."
    )
    max_context_chars: Annotated[PositiveInt, Group.ANSWERS] = Field(
        MAX_CONTEXT_CHARS, description="Rows with a longer context fail, with the reason context_too_long."
    )


class ReadingSettings(SpanSettings):
    """How windows are cut and answers chosen: all that decides what an answer is, given the model."""

    n_best: Annotated[int, Group.ANSWERS] = Field(
        1, ge=1, le=1000, description="Best distinct spans to give; above 1 adds the column n_best."
    )
    answers_per_row: Annotated[int, Group.ANSWERS] = Field(
        1, ge=1, le=1000, description="Best spans without overlap to give; above 1 adds the column mentions."
    )
    min_confidence: Annotated[float, Group.ANSWERS] = Field(
        0.0, ge=0, le=1, description="Leave spans of less confidence out of mentions."
    )

    @model_validator(mode="after")
    def _confidence_is_that_of_mentions(self) -> Self:
        if self.min_confidence and self.answers_per_row == 1:
            raise ValueError(
                f"`min_confidence` must be 0 unless `answers_per_row` is above 1, but is {self.min_confidence:g}"
            )
        return self


class ModelSettings(Settings):
    """Which model, on what, and how much of it at a time."""

    model: Annotated[PathText, FREE, Group.MODEL] = Field(
        "embedded", min_length=1, description="A folder, a hub id (owner/name[@revision]), or the small embedded model."
    )
    batch_tokens: Annotated[AutoOrCount, SETTLED, Group.MODEL] = Field(
        "auto",
        description="Most tokens, padding included, in one forward pass; auto: 1,024 a CPU thread, 16,384 on CUDA.",
    )
    backend: Annotated[Literal["auto", "torch", "openvino"], SETTLED, Group.MODEL] = Field(
        "auto", description="What runs the model; auto: OpenVINO on CPUs where it is installed, else torch."
    )
    device: Annotated[str, SETTLED, Group.MODEL] = Field(
        "auto",
        description="auto, cpu, cuda or mps; auto: CUDA where GPUs are.",
    )
    dtype: Annotated[Literal["auto", "float32", "bfloat16", "float16", "int8"], SETTLED, Group.MODEL] = Field(
        "auto",
        description="Arithmetic of the forward pass; auto: bfloat16 where CPU or GPU have it, else float16 on GPUs and "
        "float32 on CPUs.",
    )

    @model_validator(mode="after")
    def _openvino_runs_on_cpus(self) -> Self:
        if self.dtype == "int8" and self.backend == "torch":
            raise ValueError("`backend` must be openvino with `dtype` int8, but is torch")
        if self.is_openvino:
            if self.device not in ("auto", "cpu"):
                asked = "`backend` openvino" if self.backend == "openvino" else "`dtype` int8"
                raise ValueError(f"`device` must be cpu with {asked}, but is {self.device}")
            if self.dtype == "float16":
                raise ValueError("`dtype` must be float32, bfloat16 or int8 with `backend` openvino, but is float16")
        return self

    @property
    def is_openvino(self) -> bool:
        """Whether OpenVINO is asked for, by name or as what has int8."""
        return self.backend == "openvino" or self.dtype == "int8"

    @property
    def runs_on(self) -> str:
        """The device, as far as the settings say: OpenVINO's is the CPU."""
        return "cpu" if self.is_openvino else self.device

    @field_validator("device")
    @classmethod
    def _device_is_of_a_known_kind(cls, value: str) -> str:
        if not re.fullmatch(r"auto|cpu|cuda(:\d+)?|mps", value):
            raise ValueError(f"`device` must be auto, cpu, cuda, cuda:N or mps, but is {value!r}")
        return value


def _duration(value: str) -> str:
    if not re.fullmatch(r"\d+(\.\d+)?[smh]?", value):
        raise ValueError(
            f"`wait_for_nodes` must be a number of seconds, or one with s, m or h behind it, but is {value!r}"
        )
    return value


Duration = Annotated[str, AfterValidator(_duration)]
"""A time such as 90, 90s, 15m or 2h."""


LogFormat = Literal["text", "json"]
LogFormatSetting = Annotated[
    LogFormat,
    FREE,
    Group.OUTPUT,
    Field(
        description="Of standard error, and of the summary on standard output: text, or a JSON object a line for log "
        "collectors."
    ),
]
QuietSetting = Annotated[
    bool,
    FREE,
    Group.OUTPUT,
    Field(description="Say neither how far it is nor what is only worth knowing; warnings and errors stay."),
]


def in_seconds(duration: str) -> float:
    """A :data:`Duration` in seconds."""
    return float(duration.rstrip("smh")) * {"m": 60, "h": 3_600}.get(duration[-1], 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnSettings:
    """The columns of a corpus: which hold question and context, which are kept, and what is added."""

    question: str = "question"
    context: str = "context"
    keep: tuple[str, ...] = ()
    """Input columns to carry to the output; all where none are named."""
    prefix: str = ""
    """Put before the name of every column that is added."""
    n_best: int = 1
    """Above 1 the column ``n_best`` is added."""
    answers_per_row: int = 1
    """Above 1 the column ``mentions`` is added."""
    questions: tuple[str, ...] = ()
    """Ids of the questions that are asked of every context, instead of those in a column of the corpus."""
    wide: bool = False
    """Whether the answers to each of them are a column of their own."""

    @property
    def read(self) -> tuple[str, ...]:
        """The columns whose texts are read."""
        return (self.context,) if self.questions else (self.question, self.context)
