"""The command line of every process that is timed."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

MAX_TOKENS = 384
STRIDE = 128
MAX_QUESTION_TOKENS = 64
MAX_ANSWER_TOKENS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """The model that is run, the rows to warm up with, and which engine of ours, where it is one."""

    model: str
    warm_up: Path
    backend: str
    dtype: str


def invocation() -> Invocation:
    """What this process was called with."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--warm-up", type=Path, required=True)
    parser.add_argument("--backend", default="torch")
    parser.add_argument("--dtype", default="float32")
    given = parser.parse_args()
    return Invocation(model=given.model, warm_up=given.warm_up, backend=given.backend, dtype=given.dtype)
