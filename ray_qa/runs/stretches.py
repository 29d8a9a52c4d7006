"""The stretches of a run over time, as its commands write them down in ``.ray_qa/timelines/``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from ray_qa.errors import StorageError
from ray_qa.runs.output_folder import OURS
from ray_qa.storage import places
from ray_qa.storage.remote import Place

TIMELINES = f"{OURS}/timelines"
MOST_COMMANDS = 20
"""The latest ones are told of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """What was published on a node within some time."""

    began: str
    """In ISO 8601."""
    seconds: float
    node: str
    rows: int
    failed: int
    replicas: int
    """How many of the node's have published something then."""


_JSON: TypeAdapter[list[Stretch]] = TypeAdapter(list[Stretch])


def stretches_as_json(stretches: list[Stretch]) -> bytes:
    """The stretches of one command, as they are written down."""
    return _JSON.dump_json(stretches)


def timelines_kept(folder: Place) -> list[Stretch]:
    """The stretches of the latest commands that have worked at an output, in their order."""
    names = sorted(name for name in places.names_in(folder / TIMELINES) if name.endswith(".json"))
    return [stretch for name in names[-MOST_COMMANDS:] for stretch in _stretches_on(folder / TIMELINES / name)]


def _stretches_on(sheet: Place) -> Sequence[Stretch]:
    try:
        return _JSON.validate_json(places.read(sheet))
    except (OSError, StorageError, ValidationError):
        return []
