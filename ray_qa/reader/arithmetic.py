"""How a forward pass computes: on which kind of device, in which arithmetic, over how many tokens at once."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Arithmetic:
    """As it was settled for all workers of a run: ``device`` is cpu, cuda or mps, ``dtype`` a name of torch's."""

    device: str
    dtype: str
    batch_tokens: int
