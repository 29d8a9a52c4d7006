"""Who is compared: the methods, which process each runs in, and which of them this machine cannot run."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from benchmarks.comparison.machine import BFLOAT16_FLAGS, Machine
from ray_qa import AnnotateConfig
from ray_qa.errors import ConfigError

Kind = Literal["annotate", "reader", "engine", "pipeline", "peer"]
PIPELINE_BATCHES = (1, 8, 16, 32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A process that is timed: a module of ``benchmarks.peers``, run by the interpreter of an environment."""

    module: str
    environment: str = ""
    """A folder of virtual environments' own; empty for this interpreter."""
    backend: str = ""
    dtype: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A method in an arithmetic: one way of a process."""

    method: str
    kind: Kind
    script: Script
    way: str
    backend: str = "torch"
    dtype: str = "float32"

    @property
    def arithmetic(self) -> str:
        """Which arithmetic, and what runs it."""
        return f"{self.dtype}, {self.backend}"


ENGINES = (("torch", "float32"), ("openvino", "float32"), ("openvino", "bfloat16"), ("openvino", "int8"))
PIPELINE = Script(module="transformers_pipeline", environment="transformers4")
OTHERS = (
    Contender(
        method="Haystack TransformersExtractiveReader",
        kind="peer",
        script=Script(module="haystack_reader", environment="haystack"),
        way="run",
    ),
    Contender(
        method="evaluation script, padded to 384",
        kind="peer",
        script=Script(module="padded_evaluation", environment="transformers4"),
        way="padded",
    ),
    Contender(
        method="plain Ray Data script",
        kind="peer",
        script=Script(module="ray_data_script", environment="transformers4"),
        way="map_batches",
    ),
)


def all_contenders() -> list[Contender]:
    """Everybody, in the order in which they run and are shown."""
    return [
        *(_of_engine("annotate", "annotate", "ray_qa_annotate", "annotate", *engine) for engine in ENGINES),
        _of_engine("Reader", "reader", "ray_qa_engine", "read", *ENGINES[0]),
        *(_of_engine("bare engine", "engine", "ray_qa_engine", "forward", *engine) for engine in ENGINES),
        *(
            Contender(method=f"pipeline 4.57, batch {size}", kind="pipeline", script=PIPELINE, way=f"batch {size}")
            for size in PIPELINE_BATCHES
        ),
        *OTHERS,
    ]


def _of_engine(method: str, kind: Kind, module: str, way: str, backend: str, dtype: str) -> Contender:
    script = Script(module=module, backend=backend, dtype=dtype)
    return Contender(method=method, kind=kind, script=script, way=way, backend=backend, dtype=dtype)


def interpreter(script: Script, environments: Path) -> Path:
    """The Python that runs a script."""
    return environments / script.environment / "bin" / "python" if script.environment else Path(sys.executable)


def why_not_here(contender: Contender, machine: Machine, environments: Path) -> str | None:
    """What keeps this machine or this ray_qa from running a contender; ``None`` where nothing does."""
    if not interpreter(contender.script, environments).exists():
        return f"{environments / contender.script.environment} is not installed; make bench-peers does that"
    if contender.script.environment:
        return None
    if contender.dtype == "bfloat16" and not machine.has_bfloat16:
        return f"this processor has none of {', '.join(BFLOAT16_FLAGS)}"
    if contender.backend == "openvino" and find_spec("openvino") is None:
        return "OpenVINO is not installed"
    settings: dict[str, Any] = {"backend": contender.backend, "dtype": contender.dtype}
    try:
        AnnotateConfig(input=("rows.parquet",), output="answers", **settings)
    except ConfigError as error:
        return f"this ray_qa has it not: {str(error).splitlines()[0]}"
    return None
