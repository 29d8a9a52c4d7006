"""What the model card of finetune tells of a calibration: its figures, in a section that calibrate keeps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ray_qa.calibration.quality import Figure
from ray_qa.calibration.report import CalibrationReport
from ray_qa.runs.cards import OF_CALIBRATION, filled_in, renew_section, shown_name
from ray_qa.storage.remote import Place


def tell_in_card(report: CalibrationReport, card: Place) -> bool:
    """Tell of a calibration in the card that finetune wrote; says whether there is one with room for it.

    Raises:
        OSError, StorageError: if it cannot be written.
    """
    return renew_section(card, OF_CALIBRATION, card_text(report))


def card_text(report: CalibrationReport) -> str:
    """The section of the card."""
    was = "none" if report.threshold_before is None else f"{report.threshold_before:.4g}"
    return filled_in(
        "calibration.md.jinja",
        fitted_on=report.calibration.fitted_on,
        gold=shown_name(report.gold),
        after=report.after,
        group=report.group,
        thresholds=(was, f"{report.calibration.null_threshold:.4g}"),
        lines=list(_lines(report)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    name: str
    before: str
    after: str


def _lines(report: CalibrationReport) -> Iterator[_Line]:
    before, after = report.before, report.after
    chance = f"{100 * before.ece_by_chance:.2f} / {100 * after.ece_by_chance:.2f}"
    yield _line("exact match, %", before.exact, after.exact)
    yield _line("F1, %", before.f1, after.f1)
    yield _line("rows answered, %", before.answered, after.answered)
    kind = "" if after.confidence_rows == after.rows else " of answered rows"
    yield _line(f"calibration error (ECE){kind}, %; by chance {chance}", before.ece, after.ece)
    yield _line(f"Brier score{kind}, %", before.brier, after.brier)
    yield _line(f"log loss{kind}", before.log_loss, after.log_loss, percent=1)


def _line(name: str, before: Figure, after: Figure, percent: int = 100) -> _Line:
    return _Line(name=name, before=_figure(before, percent), after=_figure(after, percent))


def _figure(figure: Figure, percent: int) -> str:
    if figure.interval is None:
        return f"{percent * figure.value:.2f} (–)"
    low, high = percent * figure.interval.low, percent * figure.interval.high
    return f"{percent * figure.value:.2f} ({low:.2f}–{high:.2f})"
