"""A forecast in words: what there is, what it would take, and what will hurt."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from ray_qa.annotation.forecast import Forecast
from ray_qa.annotation.probe import MANY_WINDOWS
from ray_qa.runs.live_line import counted

MUCH_FAILING, MUCH_CUT, MUCH_LONG, MUCH_PADDING, MUCH_MEMORY = 0.05, 0.05, 0.4, 0.3, 0.7
LARGE_ROW_GROUP = 1024**3
LONG_HOURS = 24


def describe(forecast: Forecast) -> str:
    """The forecast, line by line; warnings last."""
    warnings = [f"warning: {each}" for each in _warnings(forecast)]
    return "\n".join([*_corpus(forecast), *_work(forecast), *_cost(forecast), *warnings])


def as_record(forecast: Forecast) -> dict[str, Any]:
    """The forecast for programs."""
    warnings = list(_warnings(forecast))
    return asdict(forecast) | {"replica_hours": forecast.replica_hours, "warnings": warnings}


def _corpus(forecast: Forecast) -> Iterator[str]:
    asked = f", each context asked {counted(forecast.questions, 'question')}" if forecast.questions else ""
    yield (
        f"{counted(forecast.rows, 'row')} in {counted(forecast.files, 'file')}, "
        f"{counted(forecast.row_groups, 'row group')}, {counted(forecast.units, 'unit')}{asked}"
    )


def _work(forecast: Forecast) -> Iterator[str]:
    yield f"from {counted(forecast.probed_rows, 'row')} that were read as a replica would ({forecast.model}):"
    rows = forecast.rows
    yield (
        f"  {forecast.windows_a_row:.2f} windows and {forecast.tokens_a_row:,.0f} tokens a row: some "
        f"{_rounded(forecast.windows_a_row * rows)} windows, {_rounded(forecast.tokens_a_row * rows)} tokens; "
        f"{100 * forecast.padding:.1f} % padding beside them"
    )
    if forecast.repeated:
        yield f"  {100 * forecast.repeated:.1f} % of rows ask what an earlier one of their unit asks, and are read once"
    yield f"  {100 * forecast.cut_questions:.1f} % of questions cut, {_failing(forecast)}"


def _failing(forecast: Forecast) -> str:
    if not forecast.failed:
        # The exact 95 % bound of a share of which none was seen in so many.
        most = 1 - 0.05 ** (1 / forecast.probed_rows)
        return f"no row fails (of all rows {100 * most:.1f} % at most, at 95 %)"
    shares = ", ".join(f"{reason} {100 * share:.1f} %" for reason, share in forecast.failed.items())
    return f"{100 * sum(forecast.failed.values()):.1f} % of rows fail: {shares}"


def _cost(forecast: Forecast) -> Iterator[str]:
    each = f"{forecast.engine}, {counted(forecast.threads, 'thread')}, here"
    rates, seconds = forecast.rows_a_second_interval, forecast.seconds_interval
    known = f"95 %: {rates.low:,.1f} to {rates.high:,.1f}" if rates else "too few rows for an interval"
    yield f"  {forecast.rows_a_second:,.1f} rows/s a replica ({known}; {each})"
    known = f" (95 %: {_time(seconds.low)} to {_time(seconds.high)})" if seconds else ""
    yield (
        f"{counted(forecast.replicas, 'replica')}: {_time(forecast.seconds)}{known}, "
        f"{forecast.replica_hours:,.2f} replica-hours; beside them, what starting takes"
    )
    memory = f"; some {_bytes(forecast.memory.replica)} of memory a replica" if forecast.memory else ""
    yield f"some {_bytes(forecast.bytes_out)} of output{memory}"
    for gpu in forecast.gpus:
        yield (
            f"NOT MEASURED HERE, by arithmetic, at best: {gpu.name}: {gpu.rows_a_second:,.0f} rows/s, "
            f"{_time(3600 * gpu.hours)} on one ({gpu.source})"
        )


def _warnings(forecast: Forecast) -> Iterator[str]:
    if forecast.many_windows > MUCH_LONG:
        yield (
            f"{100 * forecast.many_windows:.0f} % of rows need more than {MANY_WINDOWS} windows; a smaller "
            "`stride`, or passages instead of documents, would cost less"
        )
    if (failing := sum(forecast.failed.values())) > MUCH_FAILING:
        yield f"{100 * failing:.0f} % of rows would fail; `max_failed` makes that an exit code"
    if forecast.cut_questions > MUCH_CUT:
        yield f"{100 * forecast.cut_questions:.0f} % of questions are cut; see `max_question_tokens`"
    if forecast.padding > MUCH_PADDING:
        yield f"{100 * forecast.padding:.0f} % of what is computed is padding; larger `unit_rows` mix better"
    if forecast.largest_row_group_bytes > LARGE_ROW_GROUP:
        yield (
            f"one row group holds {forecast.largest_row_group_rows:,} rows, "
            f"{_bytes(forecast.largest_row_group_bytes)} of text; what reads it begins at its beginning each time: "
            "write the file again in smaller row groups"
        )
    if (memory := forecast.memory) and memory.share > MUCH_MEMORY:
        yield (
            f"{counted(memory.replicas_here, 'replica')} on a machine like this one would take "
            f"{_bytes(memory.replica * memory.replicas_here)} of its {_bytes(memory.machine)} of memory; more "
            "`cpus_per_replica` make them fewer, smaller `batch_tokens` take less"
        )
    if forecast.units < forecast.replicas:
        yield f"{counted(forecast.units, 'unit')} cannot keep {forecast.replicas:,} replicas busy; see `unit_rows`"
    if forecast.seconds > LONG_HOURS * 3600:
        yield f"longer than {LONG_HOURS} hours; more `replicas`, or int8, would shorten it"


def _time(seconds: float) -> str:
    if seconds < 1:
        return "less than 1 s"
    if seconds < 600:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7_200 else f"{seconds / 3600:,.1f} h"


def _bytes(size: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1_000:
            return f"{size:.3g} {unit}"
        size /= 1_000
    return f"{size:,.3g} TB"


def _rounded(value: float) -> str:
    return f"{float(f'{value:.3g}'):,.0f}"
