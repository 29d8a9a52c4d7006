"""The page: what is known of an output, put into words and drawings, and rows to look at."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version

from ray_qa.judging.judged_rows import STATUSES
from ray_qa.reporting import charts
from ray_qa.reporting.correctness import Correctness, Figure, RowJudged
from ray_qa.reporting.histogram import Histogram
from ray_qa.reporting.run_facts import RunFacts, in_bars
from ray_qa.reporting.samples import SampleRow, Samples, as_shown, showable
from ray_qa.reporting.statistics import RowStatistics
from ray_qa.runs.html_pages import html_page, script_digest, script_of
from ray_qa.runs.live_line import counted, duration

SCRIPT = "report.js"
ANSWERED, NO_ANSWER = map(STATUSES.index, ("answered", "no_answer"))
IN_WORDS = dict(zip(STATUSES, ("answered", "no answer", "failed"), strict=True))
MEANINGS = {
    "question_missing": "the question is null",
    "question_not_text": "the question is no text",
    "question_empty": "the question is empty or white space",
    "question_not_unicode": "the question is not valid UTF-8",
    "question_no_text": "the question has no token that stands for any of it",
    "context_missing": "the context is null",
    "context_not_text": "the context is no text",
    "context_empty": "the context is empty or white space",
    "context_not_unicode": "the context is not valid UTF-8",
    "context_too_long": "the context is longer than max_context_chars",
    "context_no_text": "the context has no token that stands for any of it",
    "not_finite": "logits include NaN or infinity",
    "out_of_memory": "a window does not fit the device’s memory even alone",
    "offsets_wrong": "the best span is not a stretch of the context",
    "worker_died": "the row has killed a worker by itself",
}
"""What reasons mean; docs/columns.md says more."""
EXAMPLES = 3
"""Of each reason."""
CLOSE = 1.0
"""Rows whose margin is within this of where the outcome changes are called close."""
UNITS_A_BAR = 4
"""At least so many on average, or a chart of the speed shows when parts appear."""
MEASURED = re.compile(r"(?<=\d) (?=%|(s|rows?|units?|pauses?|characters)\b)")
"""Where a number is followed by what it counts or measures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A drawing with its title and what it shows in words."""

    title: str
    svg: str
    """HTML."""
    says: str
    statuses: tuple[str, ...] = ()
    """Those whose colours it uses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """A figure that stands at the top."""

    name: str
    value: str
    beside: str
    status: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A question of the set that every context was asked, as it is shown."""

    id: str
    text: str
    counts: Mapping[int, int]
    """Its rows by status."""

    @property
    def scored(self) -> int:
        """Rows that have not failed."""
        return self.counts.get(ANSWERED, 0) + self.counts.get(NO_ANSWER, 0)

    @property
    def no_answer_rate(self) -> float | None:
        """Of those that have not failed, 0 to 1."""
        return self.counts.get(NO_ANSWER, 0) / self.scored if self.scored else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failures:
    """Rows that failed for a reason."""

    reason: str
    rows: int
    meaning: str
    examples: Sequence[SampleRow]


def page(
    *,
    facts: RunFacts,
    statistics: RowStatistics,
    samples: Samples,
    correctness: Correctness | None,
    judged: Mapping[int, RowJudged],
) -> str:
    """The page as HTML; whatever is from outside is escaped.

    Args:
        facts: how the output came to be.
        statistics: of all its rows.
        samples: rows to show.
        correctness: how right it is, where that is known.
        judged: which of the samples are right, by their numbers.
    """
    from markupsafe import Markup

    script, rows = script_of(SCRIPT), samples.rows()
    asked = list(_asked(facts, statistics))
    return html_page(
        "report.html.jinja",
        facts=facts,
        statistics=statistics,
        in_words=IN_WORDS,
        shares={name: _share(count, statistics.rows) for name, count in _by_status(statistics).items()},
        tiles=list(_tiles(facts, statistics, correctness)),
        about=list(_about(facts, statistics)),
        speed=list(_speed(facts)),
        scores=list(_scores(facts, statistics)),
        correctness=correctness,
        right=[] if correctness is None else list(_right(correctness)),
        lengths=list(_lengths(statistics)),
        failures=list(_failures(statistics, samples)),
        rows=rows,
        judged=judged,
        questions=_questions_of(rows, asked),
        by_question=sorted((each for each in asked if each.counts), key=lambda each: -(each.no_answer_rate or 0.0)),
        asked=len(facts.questions) or 1,
        made=f"ray_qa {version('ray_qa')}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        script=Markup(script),  # our own, and known by its digest
        digest=script_digest(script),
        html=Markup,
        number=_number,
        percent=_percent,
        duration=duration,
        showable=showable,
        together=_together,
    )


def _tiles(facts: RunFacts, statistics: RowStatistics, correctness: Correctness | None) -> Iterator[Tile]:
    yield Tile(name="rows", value=f"{statistics.rows:,}", beside=counted(facts.units, "unit"))
    for status, count in _by_status(statistics).items():
        share = _percent(count / max(1, statistics.rows))
        yield Tile(name=IN_WORDS[status], value=share, beside=counted(count, "row"), status=status)
    if facts.rows_per_second:
        beside = f"{counted(facts.scored_rows, 'row')} in {duration(facts.run_seconds)}"
        yield Tile(name="rows a second", value=f"{facts.rows_per_second:,.1f}", beside=beside)
    if correctness is not None:
        yield Tile(name="exact match", value=f"{correctness.exact.percent:.1f}", beside=_interval(correctness.exact))
        yield Tile(name="F1", value=f"{correctness.f1.percent:.1f}", beside=_interval(correctness.f1))


def _about(facts: RunFacts, statistics: RowStatistics) -> Iterator[tuple[str, str]]:
    """What ran on what, in pairs of a name and a text."""
    files = facts.inputs
    more = f" and {len(files) - 3:,} more" if len(files) > 3 else ""
    yield "input", ", ".join(map(showable, files[:3])) + more
    if facts.rescored_from is not None:
        yield "rescored from", f"{showable(facts.rescored_from)}, without the model"
    if facts.part:
        yield "part of it", facts.part
    yield "model", showable(facts.model)
    yield "weights", facts.weights[:12]
    if facts.engine:
        yield "computed by", facts.engine
    if facts.rows_per_second:
        yield "time", f"{duration(facts.run_seconds)} after {facts.start_seconds:.0f} s of start-up"
        if facts.scored_rows < statistics.rows:
            yield "scored by the last command", counted(facts.scored_rows, "row")
    if facts.finished:
        yield "finished", facts.finished


def _speed(facts: RunFacts) -> Iterator[Chart]:
    bars = in_bars(facts.moments, facts.units // UNITS_A_BAR)
    if len(bars) < 2:
        return
    fastest = max(each.rows / each.seconds for each in bars)
    pauses = sum(each.after_pause for each in bars)
    resumed = f" {counted(pauses, 'pause')} between commands (dashed) left out." if pauses else ""
    yield Chart(
        title="Speed over time",
        svg=charts.speed_chart(bars),
        says=f"Rows published a second, at most {fastest:,.1f}; a unit counts when its part appears.{resumed}",
    )


def _scores(facts: RunFacts, statistics: RowStatistics) -> Iterator[Chart]:
    there = tuple(status for status in STATUSES if statistics.confidence[status].total)
    if there:
        yield Chart(
            title="Confidence in the outcome",
            svg=charts.confidence_chart(statistics.confidence),
            says=" ".join(
                f"Half of the rows with {'an answer' if status == 'answered' else 'no answer'} have a confidence of "
                f"{statistics.confidence[status].quantile(0.5):.2f} or more."
                for status in there
            ),
            statuses=there,
        )
        yield Chart(
            title="Margin of the best span over no answer",
            svg=charts.margin_chart(statistics.margin, facts.flips_at),
            says=_margins_in_words(facts.flips_at, statistics),
            statuses=there,
        )


def _margins_in_words(flips_at: float | None, statistics: RowStatistics) -> str:
    import numpy as np

    if flips_at is None:
        return "Every row is answered, whatever its margin (always_answer)."
    edges = np.array([flips_at - CLOSE, flips_at + CLOSE])
    close = sum(int(each.between(edges).sum()) for each in statistics.margin.values())
    total = sum(each.total for each in statistics.margin.values())
    return (
        f"A row is answered where its margin is {flips_at:g} or more (dashed). {_percent(close / total)} of rows lie "
        f"within {CLOSE:g} of that: another null_threshold decides them otherwise."
    )


def _right(correctness: Correctness) -> Iterator[Chart]:
    if (found := correctness.reliability) is not None:
        rows = sum(each.rows for each in found.bins)
        lean = sum(each.rows * (each.right - each.confidence) for each in found.bins) / rows
        chance = "" if found.by_chance is None else f", by chance alone {found.by_chance:.3f}"
        yield Chart(
            title="Whether confidence means what it says",
            svg=charts.reliability_chart(found),
            says=f"On the dashed line confidence would be the share that is right; it is {abs(lean):.2f} too "
            f"{'low' if lean > 0 else 'high'} on average. Expected calibration error: {found.error:.3f}{chance}. Each "
            "dot stands for as many rows.",
        )
    if (risk := correctness.risk) is not None:
        yield Chart(
            title="What keeping only the surest rows gains",
            svg=charts.risk_chart(risk),
            says=f"Of all scored rows {_percent(float(risk.risk_P[-1]))} are wrong, of the surest half "
            f"{_percent(risk.of_half)}. Area under the curve: {risk.area:.3f}.",
        )


def _lengths(statistics: RowStatistics) -> Iterator[Chart]:
    for name, title, lengths in (
        ("context", "How long contexts are", statistics.context_chars),
        ("answer", "How long answers are", statistics.answer_chars),
    ):
        if lengths.total:
            yield Chart(
                title=title,
                svg=charts.length_chart(name, lengths, f"characters of the {name}"),
                says=_lengths_in_words(lengths),
            )
    classes = charts.windows_classes(statistics.by_windows)
    if classes:
        longest = max(fewest for fewest, _ in statistics.by_windows)
        several = sum(each.rows for each in classes if each.name != "1")
        yield Chart(
            title="How many windows rows have",
            svg=charts.windows_chart(classes),
            says="Every context fits one window."
            if longest == 1
            else f"{counted(several, 'row')} ({_percent(several / sum(each.rows for each in classes))}) have more than "
            "one: their contexts are read in overlapping slices.",
        )
        yield Chart(
            title="No answer, by the number of windows",
            svg=charts.no_answer_chart(classes),
            says="A row’s null score is the lowest of its windows, so long contexts abstain less. Lines are 95 % "
            "intervals.",
        )


def _lengths_in_words(lengths: Histogram) -> str:
    middle, most = lengths.quantile(0.5), lengths.quantile(0.99)
    return f"Half have at most {middle:,.0f} characters (dashed), 99 % at most {most:,.0f}."


def _failures(statistics: RowStatistics, samples: Samples) -> Iterator[Failures]:
    for reason, rows in statistics.reasons.most_common():
        yield Failures(
            reason=showable(reason),
            rows=rows,
            meaning=MEANINGS.get(reason, ""),
            examples=samples.of_reason(reason)[:EXAMPLES],
        )


def _by_status(statistics: RowStatistics) -> dict[str, int]:
    return dict(zip(STATUSES, statistics.by_status.tolist(), strict=True))


def _asked(facts: RunFacts, statistics: RowStatistics) -> Iterator[Asked]:
    """The questions of a set, in its order."""
    for question in facts.questions:
        (own_id,), (text,) = as_shown([question.id]), as_shown([question.text])
        yield Asked(id=own_id, text=text, counts=statistics.questions.get(question.id, {}))


def _questions_of(rows: Sequence[SampleRow], asked: Sequence[Asked]) -> list[Asked]:
    """Those of some rows, in the set's order."""
    there = {each.question_id for each in rows}
    return [each for each in asked if each.id in there]


def _together(text: str) -> str:
    """A text whose numbers stay with what they count or measure."""
    return MEASURED.sub("\N{NO-BREAK SPACE}", text)


def _interval(figure: Figure) -> str:
    return f"{figure.interval.low:.1f} to {figure.interval.high:.1f} (95 %)"


def _share(count: int, rows: int) -> float:
    return 100 * count / max(1, rows)


def _percent(share: float) -> str:
    """A share of 0 to 1; one that is neither nothing nor all is not shown as that."""
    if 0 < share < 0.001:
        return "< 0.1 %"
    if 0.999 < share < 1:
        return "> 99.9 %"
    return f"{100 * share:.1f} %".replace(".0 %", " %")


def _number(value: float, digits: int = 2) -> str:
    """A number with a true minus sign; nothing where there is none."""
    return "" if math.isnan(value) else f"{value:.{digits}f}".replace("-", "−")
