"""A comparison as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.comparison.agreement import Agreement
from benchmarks.comparison.results import Aim, Comparison, Result, Speed, Unequal

HEAD = (
    "method", "arithmetic", "rows/s short", "× best pipeline", "rows/s long", "× best pipeline",
    "= pipeline", "= ours in float32",
)  # fmt: skip


def describe(compared: Comparison) -> str:
    """All that is printed: what was run where, the table, the aims, the answers that differ."""
    return "\n\n".join(
        [
            _conditions(compared),
            table(HEAD, [_cells(result) for result in compared.results]),
            table(("annotate", "over", "wanted", "short", "long"), [_aim_cells(aim) for aim in compared.aims]),
            "\n".join(_says(unequal) for unequal in compared.unequal),
            _notes(compared),
        ]
    ).strip()


def _conditions(compared: Comparison) -> str:
    versions = "; ".join(
        f"{where}: {', '.join(f'{name} {number}' for name, number in numbers.items())}"
        for where, numbers in compared.versions.items()
    )
    return (
        f"{compared.rows:,} short rows, median of {compared.repeats}; {compared.long_rows:,} rows of "
        f"{compared.long_characters:,} characters, median of {compared.long_repeats}\n"
        f"{compared.machine.in_words}\n{versions}"
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose columns line up in plain text too."""
    widths = [max(len(cell) for cell in column) for column in zip(head, *rows, strict=True)]
    lines = [head, ["-" * width for width in widths], *rows]
    return "\n".join(
        f"| {' | '.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))} |" for line in lines
    )


def _cells(result: Result) -> tuple[str, ...]:
    return (
        result.method,
        f"{result.dtype}, {result.backend}",
        *(_speed_cells(result.short) if result.short or not result.failed else (_reason(result), "")),
        *_speed_cells(result.long),
        _share(result.equal_short.to_pipeline),
        _share(result.equal_short.to_ours),
    )


def _reason(result: Result) -> str:
    return "not here" if (result.failed or "").startswith("not here") else "failed"


def _speed_cells(speed: Speed | None) -> tuple[str, str]:
    if speed is None:
        return "–", "–"
    return f"{speed.rows_per_second:.4g}", "–" if speed.to_best_pipeline is None else f"{speed.to_best_pipeline:.2f}"


def _share(agreed: Agreement | None) -> str:
    return "–" if agreed is None else f"{agreed.share:.1%}"


def _aim_cells(aim: Aim) -> tuple[str, ...]:
    ratios = ("–" if ratio is None else f"{ratio:.2f}" for ratio in (aim.short, aim.long))
    return aim.arithmetic, aim.over, f"≥ {aim.wanted:g}", *ratios


def _says(unequal: Unequal) -> str:
    return (
        f"{unequal.method} (float32, {unequal.backend}) against {unequal.against}, {unequal.rows}: "
        f"{len(unequal.differences)} answers differ, {unequal.ties} of them ties"
    )


def _notes(compared: Comparison) -> str:
    """Why figures are missing, and which rest on fewer passes or rows."""
    results = compared.results
    notes = [
        f"{result.method} ({result.dtype}, {result.backend}): {result.failed}" for result in results if result.failed
    ]
    once = [result.method for result in results if result.short and len(result.short.seconds) == 1]
    most = max((len(result.short.seconds) for result in results if result.short), default=0)
    if once and most > 1:
        notes.append(f"one pass over the short rows: {', '.join(once)}")
    few = {result.long.rows for result in results if result.long} - {compared.long_rows}
    if few:
        notes.append(f"all but annotate answer the first {min(few)} of the long rows")
    return "\n".join(notes)
