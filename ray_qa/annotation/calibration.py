"""int8 with its loss known: rows to calibrate on, and how many answers it leaves as float32 has them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ray_qa.annotation.config import AnnotateConfig
from ray_qa.annotation.engine_used import Int8
from ray_qa.cluster.placement import Placement
from ray_qa.cluster.worker_errors import error_from_worker, said_by
from ray_qa.data.parquet_files import Inputs, read_inputs
from ray_qa.data.question_sets import rows_to_read
from ray_qa.data.row_groups import read_units
from ray_qa.data.schemas import check_columns
from ray_qa.data.units import Piece, Unit
from ray_qa.errors import ClusterError, ModelError
from ray_qa.reader.model_files import ModelFiles, model_here
from ray_qa.records import Question, Row
from ray_qa.settings import ColumnSettings
from ray_qa.storage.credentials import use_access

CALIBRATION_ROWS, HELD_ROWS = 300, 200
"""Rows to quantise on, and other rows to compare answers on."""
UNITS, DRAWN_TOGETHER, DEEPEST = 20, 500, 40
"""Places that rows are drawn from at least, rows of such a place, and how many of a row group count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """``rows`` to quantise on, and ``held`` to compare answers on: others, unless the corpus has too few."""

    rows: tuple[Row, ...]
    held: tuple[Row, ...]

    @property
    def overlap(self) -> bool:
        """Whether answers are compared on rows that it was calibrated on."""
        return not set(self.rows).isdisjoint(self.held)


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


def draw_calibration(
    config: AnnotateConfig, corpus: Inputs, apart: Inputs | None, questions: Sequence[Question] = ()
) -> Calibration:
    """Draw rows by a fixed seed.

    Args:
        config: the settings.
        corpus: the input.
        apart: what to calibrate on instead of the corpus.
        questions: what is asked of its contexts, if that does not stand in its rows.
    """
    drawn = _draw(config, corpus, CALIBRATION_ROWS + HELD_ROWS, questions)
    if apart is not None:
        return Calibration(rows=tuple(_draw(config, apart, CALIBRATION_ROWS)), held=tuple(drawn[:HELD_ROWS]))
    others = drawn[HELD_ROWS:] if len(drawn) >= 2 * HELD_ROWS else drawn
    return Calibration(rows=tuple(others[:CALIBRATION_ROWS]), held=tuple(drawn[:HELD_ROWS]))


def _draw(config: AnnotateConfig, inputs: Inputs, wanted: int, questions: Sequence[Question] = ()) -> list[Row]:
    """At most ``wanted`` rows of ``UNITS`` places all over the input, in an order of chance."""
    random = np.random.default_rng(0)
    chosen = _places(inputs, wanted, random)
    columns = config.columns(questions)
    schema = pa.schema([field for field in inputs.schema if field.name in columns.read])
    rows: list[Row] = []
    for table in read_units(inputs.sources, chosen, schema):
        some = table.take(np.sort(random.permutation(table.num_rows)[: -(-wanted // len(chosen))]))
        asked = rows_to_read(some, columns, questions)
        if questions:
            asked = [asked[number] for number in random.permutation(len(asked))[: some.num_rows].tolist()]
        rows += asked
    return [rows[number] for number in random.permutation(len(rows))[:wanted].tolist()]


def _places(inputs: Inputs, wanted: int, random: np.random.Generator) -> list[Unit]:
    """Places that have more rows than are wanted; not too deep in a row group, which is decoded from its beginning."""
    groups = inputs.row_groups
    places = np.cumsum([min(DEEPEST, -(-group.rows // DRAWN_TOGETHER)) for group in groups])
    enough = max(UNITS, -(-2 * wanted * int(places[-1]) // inputs.rows))
    numbers = np.sort(random.choice(places[-1], min(enough, places[-1]), replace=False))
    units: list[Unit] = []
    for group, number in zip(np.searchsorted(places, numbers, side="right").tolist(), numbers.tolist(), strict=True):
        of, before = groups[group], int(places[group - 1]) if group else 0
        first = (number - before) * DRAWN_TOGETHER
        piece = Piece(file=of.file, row_group=of.row_group, first_row=first, rows=min(DRAWN_TOGETHER, of.rows - first))
        units.append(Unit(number=len(units), pieces=(piece,)))
    return units


def calibrated(config: AnnotateConfig, model: ModelFiles, calibration: Calibration, placement: Placement) -> Int8:
    """Quantise on a worker, and compare answers with those of float32.

    Where that falls short of ``min_agreement``, the layers that lose most are kept in higher precision.

    Raises:
        ModelError: if it is under ``min_agreement``, or the model cannot be quantised.
        ClusterError: if the worker dies.
    """
    import ray
    from ray.exceptions import RayError

    measure = ray.remote(_quantised_and_compared).options(num_cpus=placement.reserved_cpus)
    try:
        int8: Int8 = ray.get(measure.remote(config, model, calibration, placement.threads))
    except RayError as error:
        raise error_from_worker(error) or ClusterError(
            f"int8 must be calibrated by a worker, but it gives: {said_by(error)}"
        ) from error
    if int8.agreement < config.min_agreement:
        raise ModelError(
            f"`min_agreement` must be reached by int8, {config.min_agreement:g} of answers equal to those of float32, "
            f"but is {int8.agreement:.3f} on {int8.compared} rows; use another `dtype`, or ask for less"
        )
    return int8


def _quantised_and_compared(config: AnnotateConfig, model: ModelFiles, calibration: Calibration, threads: int) -> Int8:
    from ray_qa.reader.quantization import int8_in_words

    use_access(config.access)
    exact = _outcomes(config, model, calibration, threads, "float32")

    def quantised(*, protected: bool) -> Int8:
        rounded = _outcomes(config, model, calibration, threads, "int8", protected=protected)
        read = [(one, other) for one, other in zip(exact, rounded, strict=True) if one.status != "failed"]
        return Int8(
            protected=protected,
            form=int8_in_words(protected=protected),
            compared=len(read),
            equal=sum(one == other for one, other in read),
            overlap=calibration.overlap,
        )

    whole = quantised(protected=False)
    if whole.agreement >= config.min_agreement:
        return whole
    return max(whole, quantised(protected=True), key=lambda int8: int8.agreement)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came of a held row."""

    status: str
    answer: str | None


def _outcomes(
    config: AnnotateConfig,
    model: ModelFiles,
    calibration: Calibration,
    threads: int,
    dtype: str,
    *,
    protected: bool = False,
) -> list[_Outcome]:
    from ray_qa.reader.reader import Reader

    reader = Reader.load(
        model_here(model),
        settings=config,
        device="cpu",
        dtype=dtype,
        backend="openvino",
        threads=threads,
        calibration=calibration.rows,
        protected=protected,
    )
    return [_Outcome(answer.status, answer.answer) for answer in reader.read(calibration.held)]
