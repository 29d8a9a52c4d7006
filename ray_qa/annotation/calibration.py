"""int8 with its loss known: rows to calibrate on, and how many answers it leaves as float32 has them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from ray_qa.annotation.config import AnnotateConfig
from ray_qa.cluster.placement import Placement
from ray_qa.cluster.worker_errors import error_from_worker
from ray_qa.data.parquet_files import Inputs, read_inputs
from ray_qa.data.row_groups import read_units
from ray_qa.data.schemas import check_columns, texts
from ray_qa.data.units import plan_units
from ray_qa.errors import ClusterError, ModelError, first_line
from ray_qa.reader.model_files import ModelFiles, model_here
from ray_qa.records import Row
from ray_qa.settings import ColumnSettings

CALIBRATION_ROWS, HELD_ROWS = 300, 200
"""Rows to quantise on, and other rows to compare answers on."""
UNITS, DRAWN_TOGETHER = 20, 500
"""Places that rows are drawn from, where there are so many, and rows of such a place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """``rows`` to quantise on, and ``held``, other rows to compare answers on; where there are few, all serve as both.

    ``agreement`` is the share of the held rows to which int8 gives the answer that float32 does, once it is known.
    """

    rows: tuple[Row, ...]
    held: tuple[Row, ...]
    agreement: float | None = None

    @property
    def in_words(self) -> str:
        """The agreement, for people."""
        return f"int8 gives {self.agreement:.1%} of {len(self.held)} rows the answer that float32 gives"


NO_CALIBRATION = Calibration(rows=(), held=())


def calibration_inputs(config: AnnotateConfig) -> Inputs | None:
    """The files that ``calibration`` names, if it does.

    Raises:
        InputError: if they cannot be read, or lack question or context.
    """
    if not config.calibration:
        return None
    columns = ColumnSettings(
        question=config.question_column,
        context=config.context_column,
        keep=(config.question_column, config.context_column),
    )
    inputs = read_inputs(config.calibration, columns, setting="calibration")
    check_columns(inputs.schema, columns)
    return inputs


def calibration_digest(inputs: Inputs | None) -> str | None:
    """What stands in a plan for rows to calibrate on that are not the corpus's own."""
    if inputs is None:
        return None
    return hashlib.sha256(json.dumps([(file.size, file.footer_sha256) for file in inputs.files]).encode()).hexdigest()


def draw_calibration(config: AnnotateConfig, corpus: Inputs, apart: Inputs | None) -> Calibration:
    """Draw rows by a fixed seed.

    Args:
        config: the settings.
        corpus: the input.
        apart: what to calibrate on instead of the corpus.
    """
    drawn = _draw(config, corpus, CALIBRATION_ROWS + HELD_ROWS)
    if apart is not None:
        return Calibration(rows=tuple(_draw(config, apart, CALIBRATION_ROWS)), held=tuple(drawn[:HELD_ROWS]))
    others = drawn[HELD_ROWS:] if len(drawn) >= 2 * HELD_ROWS else drawn
    return Calibration(rows=tuple(others[:CALIBRATION_ROWS]), held=tuple(drawn[:HELD_ROWS]))


def _draw(config: AnnotateConfig, inputs: Inputs, wanted: int) -> list[Row]:
    """At most ``wanted`` rows of ``UNITS`` places all over the input, in an order of chance."""
    random = np.random.default_rng(0)
    units = plan_units(inputs.row_groups, DRAWN_TOGETHER)
    chosen = [units[number] for number in sorted(random.permutation(len(units))[:UNITS].tolist())]
    names = (config.question_column, config.context_column)
    schema = pa.schema([field for field in inputs.schema if field.name in names])
    rows: list[Row] = []
    for table in read_units(inputs.sources, chosen, schema):
        some = table.take(np.sort(random.permutation(table.num_rows)[: -(-wanted // len(chosen))]))
        pairs = zip(*(texts(some[name]) for name in names), strict=True)
        rows += [Row(question=question, context=context) for question, context in pairs]
    return [rows[number] for number in random.permutation(len(rows))[:wanted].tolist()]


def calibrated(
    config: AnnotateConfig, model: ModelFiles, calibration: Calibration, placement: Placement
) -> Calibration:
    """Quantise on a worker, and compare answers with those of float32.

    Raises:
        ModelError: if it is under ``min_agreement``, or the model cannot be quantised.
        ClusterError: if the worker dies.
    """
    import ray
    from ray.exceptions import RayError

    measure = ray.remote(_agreement).options(num_cpus=placement.reserved_cpus)
    try:
        agreement: float = ray.get(measure.remote(config, model, calibration, placement.threads))
    except RayError as error:
        raise error_from_worker(error) or ClusterError(
            f"int8 must be calibrated by a worker, but it gives: {first_line(error)}"
        ) from error
    if agreement < config.min_agreement:
        raise ModelError(
            f"`min_agreement` must be reached by int8, {config.min_agreement:g} of answers equal to those of float32, "
            f"but is {agreement:.3f} on {len(calibration.held)} rows; use another `dtype`, or ask for less"
        )
    return replace(calibration, agreement=agreement)


def _agreement(config: AnnotateConfig, model: ModelFiles, calibration: Calibration, threads: int) -> float:
    from ray_qa.reader.reader import Reader

    answers = [
        Reader.load(
            model_here(model),
            settings=config,
            device="cpu",
            dtype=dtype,
            backend="openvino",
            threads=threads,
            calibration=calibration.rows,
        ).read(calibration.held)
        for dtype in ("float32", "int8")
    ]
    equal: int = sum(exact.answer == rounded.answer for exact, rounded in zip(*answers, strict=True))
    return equal / len(calibration.held)
