"""What a comparison found, as records that go into JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.comparison.agreement import Agreement, Difference, ScoresOf, agreement, differences
from benchmarks.comparison.contenders import Kind
from benchmarks.comparison.machine import Machine
from benchmarks.comparison.measuring import Passes, Record, RowSets, best_long_pipeline, best_pipeline

AIMS = {"int8": 5.0, "bfloat16": 3.2, "float32": 1.85}
"""What annotate is to do for one row of the pipeline's best, by its arithmetic."""
AIM_OF_ENGINE = 0.9
"""What annotate is to do for one row of the bare engine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """Rows per second over one row set: the median over ``seconds``, and how it stands to the best pipeline's."""

    rows: int
    seconds: tuple[float, ...]
    start_seconds: tuple[float, ...]
    rows_per_second: float
    to_best_pipeline: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Equality:
    """How many answers are those of the pipeline at batch 1, and those of annotate with torch in float32."""

    to_pipeline: Agreement | None
    to_ours: Agreement | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What is known of one method."""

    method: str
    kind: Kind
    backend: str
    dtype: str
    failed: str | None
    short: Speed | None
    long: Speed | None
    equal_short: Equality
    equal_long: Equality


@dataclass(frozen=True, slots=True, kw_only=True)
class Unequal:
    """Where a float32 method of ours and the other one answer differently."""

    method: str
    backend: str
    against: str
    rows: str
    differences: tuple[Difference, ...]
    ties: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """A ratio that is aimed at; ``None`` where it could not be measured."""

    arithmetic: str
    over: str
    wanted: float
    short: float | None
    long: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """All of it."""

    rows: int
    long_rows: int
    long_characters: int
    repeats: int
    long_repeats: int
    machine: Machine
    versions: dict[str, dict[str, str]]
    results: tuple[Result, ...]
    aims: tuple[Aim, ...]
    unequal: tuple[Unequal, ...]


def results_of(records: Sequence[Record]) -> tuple[Result, ...]:
    """Figures and equality of all."""
    short_best, long_best = best_pipeline(records), best_long_pipeline(records)
    pipeline, ours = the(records, "pipeline", "torch", "float32"), the(records, "annotate", "torch", "float32")
    return tuple(
        Result(
            method=record.contender.method,
            kind=record.contender.kind,
            backend=record.contender.backend,
            dtype=record.contender.dtype,
            failed=record.failed,
            short=_speed(record.short, short_best),
            long=_speed(record.long, long_best),
            equal_short=Equality(
                to_pipeline=_agreement(record.short, pipeline.short if pipeline else None),
                to_ours=_agreement(record.short, ours.short if ours else None),
            ),
            equal_long=Equality(
                to_pipeline=_agreement(record.long, pipeline.long if pipeline else None),
                to_ours=_agreement(record.long, ours.long if ours else None),
            ),
        )
        for record in records
    )


def the(records: Sequence[Record], kind: Kind, backend: str, dtype: str) -> Record | None:
    """The first of its kind in an arithmetic, of the pipelines that is batch 1; ``None`` where none was asked for."""
    found = (
        record
        for record in records
        if (record.contender.kind, record.contender.backend, record.contender.dtype) == (kind, backend, dtype)
    )
    return next(found, None)


def _agreement(passes: Passes, other: Passes | None) -> Agreement | None:
    return None if other is None else agreement(passes.answers, other.answers)


def _speed(passes: Passes, best: float) -> Speed | None:
    if not passes.timed:
        return None
    return Speed(
        rows=passes.rows,
        seconds=tuple(each.seconds for each in passes.timed),
        start_seconds=tuple(each.start_seconds for each in passes.timed),
        rows_per_second=passes.rows_per_second,
        to_best_pipeline=passes.rows_per_second / best if best else None,
    )


def aims_of(records: Sequence[Record]) -> tuple[Aim, ...]:
    """How annotate stands, in every arithmetic, to the best pipeline and to its bare engine."""
    short_best, long_best = best_pipeline(records), best_long_pipeline(records)
    aims = []
    for record in [each for each in records if each.contender.kind == "annotate"]:
        contender = record.contender
        engine = the(records, "engine", contender.backend, contender.dtype)
        for over, wanted, short, long in (
            ("best pipeline", AIMS[contender.dtype], short_best, long_best),
            (
                "bare engine",
                AIM_OF_ENGINE,
                engine.short.rows_per_second if engine else 0.0,
                engine.long.rows_per_second if engine else 0.0,
            ),
        ):
            aims.append(
                Aim(
                    arithmetic=contender.arithmetic,
                    over=over,
                    wanted=wanted,
                    short=_ratio(record.short, short),
                    long=_ratio(record.long, long),
                )
            )
    return tuple(aims)


def _ratio(passes: Passes, other: float) -> float | None:
    return passes.rows_per_second / other if passes.timed and other else None


def unequal_of(records: Sequence[Record], sets: RowSets, scores_of: ScoresOf) -> tuple[Unequal, ...]:
    """Where annotate in float32 differs from the pipeline, and OpenVINO's float32 from torch's."""
    torch, openvino = (the(records, "annotate", backend, "float32") for backend in ("torch", "openvino"))
    pipeline = the(records, "pipeline", "torch", "float32")
    found = []
    for record, other in ((torch, pipeline), (openvino, pipeline), (openvino, torch)):
        if record is None or other is None:
            continue
        for rows, ours, theirs in (
            (sets.short, record.short.answers, other.short.answers),
            (sets.long, record.long.answers, other.long.answers),
        ):
            unlike = differences(ours, theirs, rows.pairs, scores_of)
            found.append(
                Unequal(
                    method=record.contender.method,
                    backend=record.contender.backend,
                    against=f"{other.contender.method} ({other.contender.arithmetic})",
                    rows=rows.name,
                    differences=tuple(unlike),
                    ties=sum(each.is_tie for each in unlike),
                )
            )
    return tuple(found)
