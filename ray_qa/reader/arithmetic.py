"""How a forward pass computes: in which engine, on which kind of device, in which arithmetic, over how many tokens."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Arithmetic:
    """As it was settled for all workers of a run: ``device`` is cpu, cuda or mps, ``dtype`` a name of torch's or int8.

    ``why`` says in words what decided on it, where something was left to be decided.
    """

    device: str
    backend: str = "torch"
    dtype: str
    batch_tokens: int
    why: str = field(default="", compare=False)

    @property
    def settings(self) -> dict[str, Any]:
        """What decides a result, by the names that settings have."""
        return {name: value for name, value in asdict(self).items() if name != "why"}

    @property
    def in_words(self) -> str:
        """The engine and its arithmetic, for people."""
        engine = "OpenVINO" if self.backend == "openvino" else self.backend
        return f"{engine} in {self.dtype} on {self.device}{f' ({self.why})' if self.why else ''}"
