"""A model's calibration, ``ray_qa.json`` beside its weights: when it abstains, and what its confidence stands for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ray_qa.errors import ModelError, first_line
from ray_qa.settings import AUTO, AutoOrNumber
from ray_qa.storage import places
from ray_qa.storage.remote import Place, place_of

CALIBRATION_FILE = "ray_qa.json"
SETTING = "answer_calibration"
"""What names one, for messages."""
STRICT = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
SHOWN_DIGITS = 12
OF_NONE_ELSE = ("null_threshold", "weights_sha256")
"""What a file has that is a calibration, be it a broken one or of another form."""
Share = Annotated[float, Field(ge=0, le=1)]


class NoCalibrationError(ModelError):
    """What lies where a calibration was looked for is something else."""


class FittedOn(BaseModel):
    """The rows that a calibration was fitted on, by which others can be seen to be unlike them."""

    model_config = STRICT

    rows: int = Field(gt=0)
    contexts: int = Field(gt=0)
    windows_per_row: float = Field(ge=1)
    no_answer_share: Share
    """Rows that are left unanswered under the null threshold."""
    unanswerable_share: Share
    """Rows whose gold data have no answer."""


class Scale(BaseModel):
    """Confidence = sigmoid(slope · ln raw − rest_slope · ln(1 − raw) + shift); unless given the raw probability itself.

    With equal slopes that is sigmoid(slope · logit(raw) + shift).
    """

    model_config = STRICT

    slope: float = Field(1.0, gt=0)
    rest_slope: float = Field(1.0, ge=0)
    shift: float = 0.0


RAW = Scale()


class Calibration(BaseModel):
    """What was fitted for one model.

    A row is left unanswered where null score − best span score is above ``null_threshold``. Spans and no answer have
    scales of their own: one raw probability does not mean the same for both.
    """

    model_config = STRICT

    form: Literal[1] = 1
    """Goes up when the file is to be read otherwise than before."""
    null_threshold: float
    span: Scale
    """Of confidence, where the best span is the outcome."""
    null: Scale
    """Of confidence, where no answer is."""
    weights_sha256: str | None
    """Of the model that it is of, as :class:`ray_qa.reader.model_files.ModelFiles` has it; ``None``: of any."""
    optimized: Literal["f1", "exact", "none"]
    """What the threshold makes highest; none: it was given."""
    fitted_on: FittedOn


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """By which numbers scores become an answer and its confidence; unless given: nothing is calibrated."""

    null_threshold: float = 0.0
    span: Scale = RAW
    null: Scale = RAW


def decision_by(calibration: Calibration | None, null_threshold: AutoOrNumber = AUTO) -> Decision:
    """What a calibration says, where there is one; but for the threshold where that is not ``auto``."""
    if calibration is None:
        return Decision(null_threshold=0.0 if null_threshold == AUTO else null_threshold)
    return Decision(
        null_threshold=calibration.null_threshold if null_threshold == AUTO else null_threshold,
        span=calibration.span,
        null=calibration.null,
    )


def as_settings(decision: Decision) -> dict[str, Any]:
    """What stands for it in a plan: ``null_threshold``, and ``confidence``, which is null where it is raw."""
    is_raw = decision.span == decision.null == RAW
    scales = None if is_raw else {"span": decision.span.model_dump(), "null": decision.null.model_dump()}
    return {"null_threshold": decision.null_threshold, "confidence": scales}


def from_settings(settings: Mapping[str, Any]) -> Decision:
    """What :func:`as_settings` put into a plan."""
    scales = {name: Scale(**scale) for name, scale in (settings.get("confidence") or {}).items()}
    return Decision(null_threshold=float(settings.get("null_threshold", 0.0)), **scales)


def find_calibration(wanted: str, folder: Path, weights_sha256: str) -> Calibration | None:
    """The calibration that the setting ``answer_calibration`` leads to.

    Args:
        wanted: ``auto``: the model's own, if it has one; ``none``; or where it lies.
        folder: the model's.
        weights_sha256: the model's.

    Raises:
        ModelError: if it is not there, cannot be read, or is another model's.
        StorageError: if its bucket cannot be reached.
    """
    if wanted == "none":
        return None
    place = calibration_place(folder if wanted == AUTO else place_of(wanted, SETTING))
    calibration = read_calibration(place)
    if calibration is not None:
        check_is_of(calibration, weights_sha256, place)
    elif wanted != AUTO:
        raise ModelError(
            f"`{SETTING}` must be auto, none, or a folder or file that ray-qa calibrate wrote, but {place} is not there"
        )
    return calibration


def read_calibration(path: str | Place, setting: str = "model") -> Calibration | None:
    """The calibration that lies in a model folder, or in a file of its own (``….json``); ``None`` where there is none.

    Args:
        path: the folder or file, or its URL in a bucket.
        setting: what named it, for messages.

    Raises:
        NoCalibrationError: if what lies there is something else.
        ModelError: if it is broken, or cannot be read.
        StorageError: if its bucket cannot be reached.
    """
    place = calibration_place(place_of(path, setting) if isinstance(path, str) else path)
    try:
        content = places.read(place)
        if (other := _something_else(content)) is not None:
            raise NoCalibrationError(
                f"{place} must be a calibration that ray-qa calibrate wrote, but is {other}; name a file that it wrote"
            )
        return Calibration.model_validate_json(content)
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise ModelError(f"{place} must be a calibration that ray-qa calibrate wrote, but {_wrong(error)}") from error
    except OSError as error:
        raise ModelError(f"{place} must be a file that can be read, but gives: {first_line(error)}") from error


def write_calibration(calibration: Calibration, path: str | Place, setting: str = "output") -> Place:
    """Put a calibration into a model folder, or into a file of its own (``….json``), in one step; says where.

    Raises:
        ModelError: if it cannot be written.
        StorageError: if its bucket cannot be reached.
    """
    place = calibration_place(place_of(path, setting) if isinstance(path, str) else path)
    try:
        places.make_folder(place.parent)
        places.publish(place, calibration.model_dump_json(indent=1).encode() + b"\n")
    except OSError as error:
        raise ModelError(
            f"`{setting}` must be a place that can be written to, but {place} gives: {first_line(error)}"
        ) from error
    return place


def check_is_of(calibration: Calibration, weights_sha256: str, where: object) -> None:
    """Check that a calibration is of these weights.

    Raises:
        ModelError: if it is of others.
    """
    own = calibration.weights_sha256
    if own is not None and own != weights_sha256:
        raise ModelError(
            f"`{SETTING}` must be of the model's own weights, but {where} is of others "
            f"({own[:SHOWN_DIGITS]} there, {weights_sha256[:SHOWN_DIGITS]} now); calibrate the model again, or go "
            "without by --answer-calibration none"
        )


def calibration_place(place: Place) -> Place:
    """Where the calibration lies that a folder or file names."""
    is_file = place.name.endswith(".json") and not (isinstance(place, Path) and place.is_dir())
    return place if is_file else place / CALIBRATION_FILE


def _something_else(content: bytes) -> str | None:
    """What a file is that is no calibration, not even a broken one."""
    try:
        record = json.loads(content)
    except ValueError:
        return "no JSON"
    if isinstance(record, dict) and any(name in record for name in OF_NONE_ELSE):
        return None
    return "other JSON"


def _wrong(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"]))
    return f"{where + ': ' if where else ''}{first['msg'][0].lower()}{first['msg'][1:]}"
