"""What evaluate prints: tables in plain text, figures in percent."""

from __future__ import annotations

from collections.abc import Iterator

from ray_qa.data.gold import ANSWERS
from ray_qa.evaluation.breakdowns import Breakdown, Figures
from ray_qa.evaluation.changes import Change, Comparison
from ray_qa.evaluation.evaluate import BestThreshold, EvaluationReport
from ray_qa.metrics.bootstrap import Interval
from ray_qa.metrics.comparison import PairedDifference
from ray_qa.metrics.squad import SquadScores
from ray_qa.runs.live_line import counted

SHOWN_CHANGES = 10
LONGEST_NAME = 40


def describe(report: EvaluationReport) -> str:
    """The report, section by section; the official figures first."""
    sections = [
        "\n".join(_official(report)),
        *("\n".join(_breakdown(each)) for each in report.breakdowns),
        "\n".join(_thresholds(report)),
        *([] if report.comparison is None else ["\n".join(_comparison(report.comparison))]),
    ]
    return "\n\n".join(section for section in sections if section)


def _official(report: EvaluationReport) -> Iterator[str]:
    scores = report.scores
    if report.unfinished is not None:
        yield f"not finished: {report.unfinished}"
    gold = f"its column {ANSWERS!r}" if report.gold == report.predictions else report.gold
    yield f"SQuAD {report.convention} scores of {report.predictions} against {gold}"
    yield f"{'':<12}{'exact':>8}{'f1':>8}{'rows':>10}"
    yield from _lines(scores)
    all_rows = report.all_rows
    exact, f1 = _interval(all_rows.exact_interval), _interval(all_rows.f1_interval)
    yield f"95 % intervals over contexts: exact {exact}, f1 {f1}"
    if scores.missing:
        fate = "scored 0" if report.convention == "v1.1" else "left out, as the official script does"
        yield f"gold rows without a prediction, {fate}: {scores.missing:,}"
    if report.strict is not None:
        yield f"with those counted as wrong: exact {report.strict.exact:.2f}, f1 {report.strict.f1:.2f}"
    if scores.extra:
        yield f"predictions without a gold row, ignored: {scores.extra:,}"


def _lines(scores: SquadScores) -> Iterator[str]:
    yield _line("all", scores.exact, scores.f1, scores.total)
    yield _line("has answer", scores.has_answer_exact, scores.has_answer_f1, scores.has_answer_total)
    yield _line("no answer", scores.no_answer_exact, scores.no_answer_f1, scores.no_answer_total)


def _line(rows: str, exact: float | None, f1: float | None, total: int) -> str:
    figures = "".join(f"{'-' if figure is None else format(figure, '.2f'):>8}" for figure in (exact, f1))
    return f"{rows:<12}{figures}{total:>10,}"


def _breakdown(breakdown: Breakdown) -> Iterator[str]:
    names = [_short(kind.name) for kind in breakdown.kinds]
    width = max(map(len, [f"by {breakdown.by}", *names]))
    yield f"{'by ' + breakdown.by:<{width}}{'rows':>10}{'exact':>8}{'95 %':>15}{'f1':>8}{'95 %':>15}"
    for name, kind in zip(names, breakdown.kinds, strict=True):
        yield f"{name:<{width}}{_figures(kind.figures)}"


def _short(name: str) -> str:
    line = " ".join(name.split())
    return line if len(line) <= LONGEST_NAME else f"{line[: LONGEST_NAME - 1]}…"


def _figures(figures: Figures) -> str:
    exact, f1 = _interval(figures.exact_interval), _interval(figures.f1_interval)
    return f"{figures.rows:>10,}{figures.exact:>8.2f}{exact:>15}{figures.f1:>8.2f}{f1:>15}"


def _thresholds(report: EvaluationReport) -> Iterator[str]:
    if report.thresholds is not None and report.convention == "v2.0":
        yield _best("exact match", report.thresholds.best_exact)
        yield _best("f1", report.thresholds.best_f1)


def _best(figure: str, best: BestThreshold) -> str:
    return (
        f"best null threshold for {figure}: {best.threshold:.4g} (exact {best.exact:.2f}, f1 {best.f1:.2f}, "
        f"{100 * best.answered:.1f} % answered); found on these very rows, so a little too good"
    )


def _comparison(comparison: Comparison) -> Iterator[str]:
    yield f"compared to {comparison.compared_to}, {counted(comparison.rows, 'row')} that both have"
    yield _difference("exact", comparison.exact)
    yield _difference("f1", comparison.f1)
    yield f"{counted(comparison.changed, 'row')} changed" + (", worst first:" if comparison.changes else "")
    for change in comparison.changes[:SHOWN_CHANGES]:
        yield _change(change)


def _difference(name: str, difference: PairedDifference) -> str:
    interval = f"{difference.interval.low:+.2f} to {difference.interval.high:+.2f}"
    return (
        f"  {name:<6}{difference.difference:+.2f} points, 95 % {interval}; better {difference.better:,}, "
        f"worse {difference.worse:,}, sign test p = {difference.p_value:.2g}"
    )


def _change(change: Change) -> str:
    question = "" if change.question is None else f" {change.question!r:.60}"
    gold = " | ".join(map(repr, dict.fromkeys(change.gold))) or "no answer"
    return f"  {change.id}{question}: {change.answer!r:.60} ← {change.other!r:.60} (gold {gold:.80})"


def _interval(interval: Interval) -> str:
    return f"{interval.low:.2f}–{interval.high:.2f}"
