"""The engines of a CPU, as ``benchmarks.memory`` and ``benchmarks.replicas`` name and load them."""

from __future__ import annotations

import argparse
import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.comparison.machine import this_machine
from ray_qa import Reader, Row

SHARED = Path(__file__).parents[2] / "shared"
SQUAD = SHARED / "data" / "squad_v1_dev_a.parquet"
MODEL = SHARED / "models" / "minilm-squad"
RESULTS = Path(__file__).parent / "results"
CALIBRATION_ROWS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """What runs the forward pass, and its arithmetic."""

    backend: str
    dtype: str

    @property
    def name(self) -> str:
        """As ``--engines`` has it."""
        return f"{self.backend}-{self.dtype}"


ENGINES = (
    Engine(backend="openvino", dtype="float32"),
    Engine(backend="openvino", dtype="int8"),
    Engine(backend="torch", dtype="float32"),
)
NATIVE = (Engine(backend="openvino", dtype="bfloat16"), Engine(backend="torch", dtype="bfloat16"))
"""Only where the CPU has bfloat16 of its own."""


def add_common_options(parser: argparse.ArgumentParser) -> None:
    """What both benchmarks ask for."""
    parser.add_argument("--engines", type=_engines, default=ENGINES, help="comma-separated, such as openvino-int8")
    parser.add_argument("--data", type=Path, default=SQUAD, help="Parquet file with question and context columns")
    parser.add_argument("--model", type=Path, default=MODEL)


def read_rows(path: Path) -> list[Row]:
    """The rows of a Parquet file."""
    table = pq.read_table(path, columns=["question", "context"])
    return [Row(question=row["question"], context=row["context"]) for row in table.to_pylist()]


def load_reader(engine: Engine, model: Path, rows: list[Row], threads: int) -> Reader:
    """A reader that is warm, as a replica's is; int8 is calibrated on the first of the rows."""
    reader = Reader.load(
        str(model),
        device="cpu",
        backend=engine.backend,
        dtype=engine.dtype,
        threads=threads,
        calibration=rows[:CALIBRATION_ROWS],
    )
    reader.answer(question="What is this?", context="This is a warm-up.")
    return reader


def prepare(engine: Engine, model: Path, rows: list[Row]) -> None:
    """Have the model converted and quantised, where that was not done on this machine."""
    load_reader(engine, model, rows, threads=1)


def versions() -> dict[str, str]:
    """Of what computes."""
    packages = ("numpy", "openvino", "nncf", "torch")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}


def _engines(names: str) -> tuple[Engine, ...]:
    known = {engine.name: engine for engine in (*ENGINES, *(NATIVE if this_machine().has_bfloat16 else ()))}
    unknown = [name for name in names.split(",") if name not in known]
    if unknown:
        raise argparse.ArgumentTypeError(f"must be of {', '.join(known)}, but has {unknown[0]}")
    return tuple(known[name] for name in names.split(","))
