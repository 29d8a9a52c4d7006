"""The command plan, the whole way: what annotating a corpus would take, from its footers and a short measured probe."""

from __future__ import annotations

import glob
import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ray_qa.annotation.config import AnnotateConfig
from ray_qa.annotation.forecast_config import PlanConfig
from ray_qa.annotation.gpu_rates import GPU_RATES, encoder_shape, flops_of_window
from ray_qa.annotation.memory import begin_peak, memory_of_machine, memory_taken, peak_taken
from ray_qa.annotation.planning import Named, check_what_is_named, plan_of
from ray_qa.annotation.probe import RunOfRows, average_rows, probe, runs_of_rows
from ray_qa.cluster.placement import Node, Placement, place
from ray_qa.data.units import Unit
from ray_qa.metrics.bootstrap import Interval, ratio_interval
from ray_qa.reader.arithmetic import Arithmetic
from ray_qa.reader.engine import engine_on_cpu
from ray_qa.reader.loading import GPU_DRIVERS
from ray_qa.reader.model_files import ModelFiles, model_kind
from ray_qa.reader.reader import Reader
from ray_qa.runs.live_line import ProgressLine, shown
from ray_qa.runs.log import logged
from ray_qa.settings import ReadingSettings, check_kind
from ray_qa.storage.credentials import use_access

FEWEST_RUNS = 4
"""Of rows, that an interval is told from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuForecast:
    """What a GPU would do by arithmetic; not measured here."""

    name: str
    rows_a_second: float
    hours: float
    """Of one."""
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What replicas take of this machine's, in bytes."""

    replica: int
    """Of one, without what Ray takes."""
    replicas_here: int
    machine: int

    @property
    def share(self) -> float:
        """Of the machine's, all replicas on it together."""
        return self.replica * self.replicas_here / self.machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What annotating would take. What is a share or a mean comes from the probe."""

    input: tuple[str, ...]
    model: str
    rows: int
    units: int
    questions: int
    """Asked of every context; 0 where they stand in the rows."""
    files: int
    row_groups: int
    largest_row_group_rows: int
    largest_row_group_bytes: int
    """Of its question and context text, decoded."""
    replicas: int
    threads: int
    """Of each."""
    engine: str
    """What runs the model on this machine, in words."""
    probed_rows: int
    windows_a_row: float
    """As they are computed: for a row that repeats an earlier one, none."""
    tokens_a_row: float
    """Of text and specials, without padding."""
    padding: float
    """Share of the computed tokens."""
    repeated: float
    """Share of rows that repeat an earlier one of their unit."""
    cut_questions: float
    """Share of rows."""
    many_windows: float
    """Share of rows with more windows than ``probe.MANY_WINDOWS``."""
    failed: dict[str, float]
    """Share of rows, by reason."""
    rows_a_second: float
    """Of one replica, over the whole corpus: a probe's longer rows count as so many more."""
    rows_a_second_interval: Interval | None
    """None where too few runs of rows were probed to tell."""
    seconds: float
    """Of all replicas together, without what starting takes."""
    seconds_interval: Interval | None
    bytes_out: float
    memory: Memory | None
    """None where the system does not tell."""
    gpus: tuple[GpuForecast, ...]

    @property
    def replica_hours(self) -> float:
        """Hours, times replicas."""
        return self.seconds * self.replicas / 3600


def forecast(config: PlanConfig) -> Forecast:
    """Find out what annotating would take, without a cluster and without an output.

    Raises:
        ConfigError, InputError, ModelError, StorageError: as annotate would raise them before it begins.
    """
    check_kind(config, PlanConfig)
    with logged("plan", config.log_format, quiet=config.quiet), tempfile.TemporaryDirectory() as scratch:
        annotating = config.as_annotate(Path(scratch) / "output")
        use_access(annotating.access)
        named = check_what_is_named(annotating, annotating.folder)
        placement = _placement(config)
        units = plan_of(annotating, named, placement.most).units
        before = memory_taken()
        readers = [_reader(config, named.model, placement.threads) for _ in range(_replicas_here(config, placement))]
        begin_peak()
        runs = _probed(config, annotating, named, units, readers)
        memory = _memory(before, peak_taken(), len(readers))
        return _forecast(config, named, placement, len(units), runs, memory)


def _placement(config: PlanConfig) -> Placement:
    """As annotate would place replicas on nodes that are like this machine, as many as they need."""
    cpus = float(len(os.sched_getaffinity(0)))
    return place(
        [Node(cpus=cpus, gpus=float(_gpus(config)))],
        replicas=config.replicas,
        cpus_per_replica=config.cpus_per_replica,
        gpus_per_replica=config.gpus_per_replica,
        device=config.runs_on,
        can_grow=lambda: True,
    )


def _replicas_here(config: PlanConfig, placement: Placement) -> int:
    """How many replicas would share this machine; on a GPU each has its own."""
    fitting = int(len(os.sched_getaffinity(0)) // placement.cpus)
    return 1 if _gpus(config) else max(1, min(placement.most, fitting))


def _gpus(config: PlanConfig) -> int:
    if config.runs_on == "cpu" or not any(map(glob.glob, GPU_DRIVERS)):
        return 0
    import torch

    return torch.cuda.device_count()


def _engine(config: PlanConfig, model: ModelFiles) -> str:
    """What runs the model here, in words."""
    if _gpus(config):
        return f"torch on cuda, dtype {config.dtype}"
    engine = engine_on_cpu(model_kind(model.folder), config.backend, config.dtype)
    return Arithmetic(device="cpu", backend=engine.backend, dtype=engine.dtype, batch_tokens=0).in_words


def _reader(config: PlanConfig, model: ModelFiles, threads: int) -> Reader:
    return Reader.load(
        model,
        settings=ReadingSettings(**{name: getattr(config, name) for name in ReadingSettings.model_fields}),
        device=config.device,
        dtype=config.dtype,
        batch_tokens=config.batch_tokens,
        backend=config.backend,
        threads=threads,
    )


def _probed(
    config: PlanConfig, annotating: AnnotateConfig, named: Named, units: Sequence[Unit], readers: Sequence[Reader]
) -> list[RunOfRows]:
    wanted = -(-config.probe_rows // max(1, len(named.questions)))
    chosen = runs_of_rows(units, wanted, config.probe_seed)
    rows, done = 2 * sum(unit.rows for unit in chosen) * max(1, len(named.questions)), 0

    def tell(more: int) -> None:
        nonlocal done
        done += more

    with shown(lambda: ProgressLine(text=f"probing: {done:,} of {rows:,} rows", figures={"rows": done})):
        return probe(readers, annotating, named, chosen, tell)


def _forecast(
    config: PlanConfig,
    named: Named,
    placement: Placement,
    units: int,
    runs: Sequence[RunOfRows],
    memory: Memory | None,
) -> Forecast:
    on_gpu = _gpus(config) > 0
    # A card scores while the CPUs encode; on a CPU both share the same cores.
    seconds_R = np.array([run.seconds - (run.encoding_seconds if on_gpu else 0.0) for run in runs])
    bytes_a_row = sum(group.text_bytes for group in named.chosen) / sum(group.rows for group in named.chosen)
    size_R = average_rows(runs, bytes_a_row)
    rate, rates = size_R.sum() / seconds_R.sum(), _interval(size_R, seconds_R)
    probed, tokens = sum(run.rows for run in runs), sum(run.tokens for run in runs)
    windows = sum(run.windows for run in runs)
    failed = sum((run.failed for run in runs), start=Counter[str]())
    largest = max(named.chosen, key=lambda group: group.text_bytes)
    return Forecast(
        input=config.input,
        model=named.model.ref,
        rows=named.rows,
        units=units,
        questions=len(named.questions),
        files=len(named.inputs.files),
        row_groups=len(named.chosen),
        largest_row_group_rows=largest.rows,
        largest_row_group_bytes=largest.text_bytes,
        replicas=placement.most,
        threads=placement.threads,
        engine=_engine(config, named.model),
        probed_rows=probed,
        windows_a_row=windows / probed,
        tokens_a_row=tokens / probed,
        padding=1 - tokens / max(1, sum(run.computed_tokens for run in runs)),
        repeated=sum(run.repeated for run in runs) / probed,
        cut_questions=sum(run.cut_questions for run in runs) / probed,
        many_windows=sum(run.many_windows for run in runs) / probed,
        failed={reason: count / probed for reason, count in failed.most_common()},
        rows_a_second=float(rate),
        rows_a_second_interval=rates,
        seconds=float(named.rows / rate / placement.most),
        seconds_interval=rates
        and Interval(low=named.rows / rates.high / placement.most, high=named.rows / rates.low / placement.most),
        bytes_out=sum(run.bytes_out for run in runs) / probed * named.rows,
        memory=memory,
        gpus=() if on_gpu or not windows else _gpu_forecasts(named, windows / probed, tokens / windows),
    )


def _memory(before: int | None, peak: int | None, readers: int) -> Memory | None:
    """From what this process had before it loaded its readers, and the most it had with them."""
    machine = memory_of_machine()
    if before is None or peak is None or machine is None:
        return None
    return Memory(replica=before + max(0, peak - before) // readers, replicas_here=readers, machine=machine)


def _interval(size_R: npt.NDArray[np.float64], seconds_R: npt.NDArray[np.float64]) -> Interval | None:
    if len(size_R) < FEWEST_RUNS:
        return None
    return ratio_interval(size_R, seconds_R, np.arange(len(size_R)))


def _gpu_forecasts(named: Named, windows_a_row: float, tokens_a_window: float) -> tuple[GpuForecast, ...]:
    shape = encoder_shape(named.model.folder)
    if shape is None:
        return ()
    flops_a_row = windows_a_row * flops_of_window(shape, tokens_a_window)
    return tuple(
        GpuForecast(
            name=gpu.name,
            rows_a_second=gpu.flops / flops_a_row,
            hours=named.rows * flops_a_row / gpu.flops / 3600,
            source=gpu.source,
        )
        for gpu in GPU_RATES
    )
