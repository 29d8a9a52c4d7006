"""What a run computes with: written down as it begins, for whoever goes on with it or finishes it.

.ray_qa/engine.json
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError

from ray_qa.runs.output_folder import OURS
from ray_qa.storage import places
from ray_qa.storage.remote import Place

ENGINE = f"{OURS}/engine.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Int8:
    """What int8 came to, and how many answers it leaves as float32 has them."""

    form: str
    """What decides its answers beside the rows it was calibrated on, in words."""
    protected: bool
    """Whether layers were kept in higher precision, as too many answers changed without."""
    compared: int
    """Rows that float32 could read."""
    equal: int
    """Those of them that have the same status and answer."""
    overlap: bool
    """Whether it was calibrated on some of them."""

    @property
    def agreement(self) -> float:
        """The share of the compared rows that have the same status and answer."""
        return self.equal / self.compared if self.compared else 0.0

    @property
    def in_words(self) -> str:
        """The agreement, for people."""
        which = ", some of them those it was calibrated on," if self.overlap else ""
        rows = f"{self.agreement:.1%} of {self.compared} rows{which}"
        return f"int8 gives {rows} the answer that float32 gives ({self.form})"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineUsed:
    """The engine and its arithmetic in words, with the reason; and what int8 came to, where it is that."""

    arithmetic: str
    int8: Int8 | None = None


_JSON: TypeAdapter[EngineUsed] = TypeAdapter(EngineUsed)


def note_engine(folder: Place, engine: EngineUsed) -> None:
    """Write it down, where it is not already."""
    if engine_noted(folder) != engine:
        places.publish(folder / ENGINE, _JSON.dump_json(engine))


def engine_noted(folder: Place) -> EngineUsed | None:
    """What was written down, if that can be read."""
    try:
        return _JSON.validate_json(places.read(folder / ENGINE))
    except (FileNotFoundError, ValidationError):
        return None
