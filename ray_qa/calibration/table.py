"""What calibrate prints: the other half before and after, figures in percent but for thresholds and log loss."""

from __future__ import annotations

from collections.abc import Iterator

from ray_qa.calibration.quality import Figure
from ray_qa.calibration.report import CalibrationReport
from ray_qa.reader.calibration import RAW, Scale
from ray_qa.runs.live_line import counted

NAME, VALUE, RANGE = 34, 9, 15


def describe(report: CalibrationReport) -> str:
    """The report as lines for people."""
    return "\n".join(_lines(report))


def _lines(report: CalibrationReport) -> Iterator[str]:
    fitted_on, before, after = report.calibration.fitted_on, report.before, report.after
    if report.unfinished is not None:
        yield f"not finished: {report.unfinished}"
    yield (
        f"fitted on {counted(fitted_on.rows, 'row')} of {report.predictions} "
        f"({counted(fitted_on.contexts, report.group)}), judged on {counted(after.rows, 'other')} "
        f"({counted(report.held_contexts, report.group)})"
    )
    yield f"{'':<{NAME}}" + "".join(f"{name:>{VALUE}}{'95 %':>{RANGE}}" for name in ("before", "after"))
    yield _thresholds(report)
    yield _line("exact match", before.exact, after.exact)
    yield _line("f1", before.f1, after.f1)
    yield _line("rows answered", before.answered, after.answered)
    if after.confidence_rows < after.rows:
        yield f"confidence, of the {counted(after.confidence_rows, 'row')} answered alone:"
    yield _line("calibration error (ECE)", before.ece, after.ece)
    yield (
        f"{'  by chance, were all well':<{NAME}}{100 * before.ece_by_chance:>{VALUE}.2f}{'':>{RANGE}}"
        f"{100 * after.ece_by_chance:>{VALUE}.2f}"
    )
    yield _line("Brier score", before.brier, after.brier)
    yield _line("log loss", before.log_loss, after.log_loss, percent=1)
    yield _line("risk over all coverages (AURC)", before.aurc, after.aurc)
    yield _line("generalised risk (AUGRC)", before.augrc, after.augrc)
    for ours, theirs in zip(before.risks, after.risks, strict=True):
        yield _line(f"wrong of the surest {100 * ours.coverage:.0f} %", ours.risk, theirs.risk)
    if report.failed:
        yield f"rows that failed, left out: {report.failed:,}"
    if report.missing:
        yield f"gold rows without a prediction, left out: {report.missing:,}"
    yield f"confidence of a span: {_in_words(report.calibration.span)}"
    null = report.calibration.null
    yield f"        of no answer: {'raw' if null == RAW else _in_words(null)}"
    yield f"{report.place}"


def _thresholds(report: CalibrationReport) -> str:
    was = "none" if report.threshold_before is None else f"{report.threshold_before:.4g}"
    return f"{'null threshold':<{NAME}}{was:>{VALUE}}{'':>{RANGE}}{report.calibration.null_threshold:>{VALUE}.4g}"


def _line(name: str, before: Figure, after: Figure, percent: int = 100) -> str:
    return f"{name:<{NAME}}{_figure(before, percent)}{_figure(after, percent)}"


def _figure(figure: Figure, percent: int) -> str:
    interval = "–"
    if figure.interval is not None:
        interval = f"{percent * figure.interval.low:.2f}–{percent * figure.interval.high:.2f}"
    return f"{percent * figure.value:>{VALUE}.2f}{interval:>{RANGE}}"


def _in_words(scale: Scale) -> str:
    shift = f"{'+' if scale.shift >= 0 else '−'} {abs(scale.shift):.3g}"
    return f"sigmoid({scale.slope:.3g} · ln raw − {scale.rest_slope:.3g} · ln(1 − raw) {shift})"
