"""The report's charts: what each shows is drawn here, what it says of itself stands in the page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ray_qa.judging.judged_rows import STATUSES
from ray_qa.reporting.correctness import Reliability, Risk
from ray_qa.reporting.drawing import ANSWERED, FAILED, INK, NO_ANSWER, SOFT, drawn
from ray_qa.reporting.histogram import Histogram
from ray_qa.reporting.run_facts import Moment
from ray_qa.reporting.statistics import WINDOWS_APART

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = npt.NDArray[np.floating[Any]]

COLOURS = dict(zip(STATUSES, (ANSWERED, NO_ANSWER, FAILED), strict=True))
BARS = 40
TAIL = 0.002
"""The share of values at either end that may lie outside a chart, in its first and last bar."""
LONG = 20.0
"""Lengths whose longest are so many times their median are shown on a logarithmic axis."""
WILSON_Z = 1.96
UNITS = ((86_400, "days"), (3_600, "hours"), (60, "minutes"), (1, "seconds"))


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowsRow:
    """Rows of a class of numbers of windows."""

    name: str
    rows: int
    no_answer: int
    """Of those that were scored."""

    @property
    def rate(self) -> float:
        """Share without an answer, 0 to 1."""
        return self.no_answer / self.rows

    @property
    def interval(self) -> tuple[float, float]:
        """Where the rate lies with 95 % confidence, by Wilson (1927)."""
        z, n, rate = WILSON_Z, self.rows, self.rate
        middle = (rate + z * z / (2 * n)) / (1 + z * z / n)
        reach = z / (1 + z * z / n) * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
        return max(0.0, middle - reach), min(1.0, middle + reach)


def speed_chart(moments: Sequence[Moment]) -> str:
    """Rows a second over the time that commands were at work; a dashed line where one began after a pause."""
    edges = np.unique([at for each in moments for at in (each.began, each.began + each.seconds)])
    rates = np.zeros(len(edges) - 1)
    for each in moments:
        within = (edges[:-1] >= each.began) & (edges[:-1] < each.began + each.seconds)
        rates[within] += each.rows / each.seconds
    unit, name = next((seconds, name) for seconds, name in UNITS if edges[-1] >= 3 * seconds or name == "seconds")

    def draw(axes: Axes) -> None:
        axes.stairs(rates, edges / unit, fill=True, color=ANSWERED, alpha=0.22)
        axes.stairs(rates, edges / unit, color=ANSWERED, linewidth=1.6, baseline=None)
        for each in moments:
            if each.after_pause:
                axes.axvline(each.began / unit, color=SOFT, linewidth=1, linestyle=(0, (3, 3)))
        axes.set_xlim(0, edges[-1] / unit)
        axes.set_ylim(0, 1.08 * rates.max() or 1)
        axes.set_xlabel(f"time at work, {name}")
        axes.set_ylabel("rows a second")
        _plain_numbers(axes, "xy")

    return drawn("speed", draw)


def confidence_chart(by_status: Mapping[str, Histogram]) -> str:
    """How confidence is spread, by outcome."""

    def draw(axes: Axes) -> None:
        _stacked(axes, by_status, np.linspace(0, 1, BARS + 1))
        axes.set_xlim(0, 1)
        axes.set_xlabel("confidence, 0 to 1")

    return drawn("confidence", draw)


def margin_chart(by_status: Mapping[str, Histogram], flips_at: float | None) -> str:
    """How margins are spread, by outcome, with the one from which on a row is answered."""
    low = min(each.quantile(TAIL) for each in by_status.values() if each.total)
    high = max(each.quantile(1 - TAIL) for each in by_status.values() if each.total)
    step = _round_step((high - low) / BARS)
    zero = flips_at or 0.0  # a bar begins where the outcome changes
    edges = zero + step * np.arange(math.floor((low - zero) / step), math.ceil((high - zero) / step) + 2)

    def draw(axes: Axes) -> None:
        _stacked(axes, by_status, edges)
        if flips_at is not None:
            axes.axvline(flips_at, color=INK, linewidth=1.2, linestyle=(0, (4, 3)))
        axes.set_xlim(edges[0], edges[-1])
        axes.set_xlabel("margin: best span − no answer, logits")

    return drawn("margin", draw)


def reliability_chart(reliability: Reliability) -> str:
    """Confidence against the share that is right, in bins of as many rows each."""

    confidence_B, right_B = ([getattr(each, name) for each in reliability.bins] for name in ("confidence", "right"))

    def draw(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=SOFT, linewidth=1, linestyle=(0, (4, 3)))
        axes.plot(confidence_B, right_B, color=ANSWERED, linewidth=1.6, marker="o", markersize=7)
        axes.set_xlim(0, 1.02)
        axes.set_ylim(0, 1.05)
        axes.set_xlabel("confidence, 0 to 1")
        axes.set_ylabel("share that is right")
        _plain_numbers(axes, "x")
        _percent(axes)

    return drawn("reliability", draw)


def risk_chart(risk: Risk) -> str:
    """How many of the rows that are kept are wrong, surest first."""

    def draw(axes: Axes) -> None:
        axes.fill_between(risk.coverage_P, risk.risk_P, color=ANSWERED, alpha=0.18, linewidth=0)
        axes.plot(risk.coverage_P, risk.risk_P, color=ANSWERED, linewidth=1.8)
        axes.set_xlim(0, 1)
        axes.set_ylim(0, min(1.0, 1.1 * float(risk.risk_P.max()) or 1))
        axes.set_xlabel("share of rows kept, surest first")
        axes.set_ylabel("share of these that is wrong")
        _percent(axes, "xy")

    return drawn("risk", draw)


def length_chart(name: str, lengths: Histogram, label: str) -> str:
    """How lengths are spread."""
    low, middle, high = (lengths.quantile(share) for share in (TAIL, 0.5, 1 - TAIL))
    is_wide = high > LONG * max(1.0, middle)
    if is_wide:
        edges: Floats = np.unique(np.geomspace(max(1.0, low), high + lengths.width, BARS + 1).round())
    else:
        low = 0.0 if low < high / 4 else low
        step = max(lengths.width, math.ceil((high + lengths.width - low) / BARS))
        edges = low + step * np.arange(math.ceil((high + lengths.width - low) / step) + 1)

    def draw(axes: Axes) -> None:
        counts = _with_tails(lengths, edges)
        axes.stairs(counts, edges, fill=True, color=ANSWERED)
        axes.axvline(middle, color=INK, linewidth=1.2, linestyle=(0, (4, 3)))
        if is_wide:
            axes.set_xscale("log")
        axes.set_xlim(edges[0], edges[-1])
        axes.set_xlabel(label)
        axes.set_ylabel("rows")
        _plain_numbers(axes, "xy", whole=True)

    return drawn(name, draw)


def windows_chart(classes: Sequence[WindowsRow]) -> str:
    """How many rows have how many windows."""

    def draw(axes: Axes) -> None:
        heights = [each.rows for each in classes]
        bars = axes.bar([each.name for each in classes], heights, color=ANSWERED, width=0.66)
        axes.bar_label(bars, [f"{height:,}" for height in heights], padding=3, color=SOFT, fontsize=11)
        axes.margins(y=0.15)
        _room_beside(axes, len(classes))
        axes.set_xlabel("windows of a row")
        axes.set_ylabel("rows")
        _plain_numbers(axes, "y", whole=True)

    return drawn("windows", draw)


def no_answer_chart(classes: Sequence[WindowsRow]) -> str:
    """The share without an answer by the number of windows, with 95 % intervals."""

    def draw(axes: Axes) -> None:
        rates = np.array([each.rate for each in classes])
        low, high = np.array([each.interval for each in classes]).T
        names = [each.name for each in classes]
        axes.vlines(names, low, high, color=NO_ANSWER, linewidth=2)
        axes.plot(names, rates, color=NO_ANSWER, marker="o", markersize=8, linestyle="none", zorder=3)
        axes.set_ylim(0, min(1.02, 1.15 * float(high.max())))
        _room_beside(axes, len(classes))
        axes.set_xlabel("windows of a row")
        axes.set_ylabel("share without an answer")
        _percent(axes)

    return drawn("noanswer", draw)


def windows_classes(by_windows: Mapping[tuple[int, int], int]) -> list[WindowsRow]:
    """Scored rows by the class of their number of windows, few windows first."""
    no_answer = STATUSES.index("no_answer")
    scored = {(fewest, status): rows for (fewest, status), rows in by_windows.items() if STATUSES[status] != "failed"}
    return [
        WindowsRow(
            name=f"{fewest:,}" if fewest <= WINDOWS_APART else f"{fewest:,}–{2 * (fewest - 1):,}",
            rows=sum(rows for (each, _), rows in scored.items() if each == fewest),
            no_answer=scored.get((fewest, no_answer), 0),
        )
        for fewest in sorted({fewest for fewest, _ in scored})
    ]


def _stacked(axes: Axes, by_status: Mapping[str, Histogram], edges: Floats) -> None:
    below = np.zeros(len(edges) - 1)
    for status, histogram in by_status.items():
        if histogram.total:
            counts = below + _with_tails(histogram, edges)
            axes.stairs(counts, edges, baseline=below, fill=True, color=COLOURS[status])
            below = counts
    axes.set_ylabel("rows")
    _plain_numbers(axes, "x")
    _plain_numbers(axes, "y", whole=True)


def _with_tails(histogram: Histogram, edges: Floats) -> npt.NDArray[np.int64]:
    """Counts between edges, with what lies beyond them in the first and the last."""
    return histogram.between(np.concatenate([[-np.inf], edges[1:-1], [np.inf]]))


def _round_step(step: float) -> float:
    """The next of 1, 2, 5, 10, … above a step, and its fractions."""
    tens = 10.0 ** math.floor(math.log10(max(step, 1e-3)))
    return next(tens * factor for factor in (1, 2, 5, 10) if tens * factor >= step)


def _plain_numbers(axes: Axes, which: str, *, whole: bool = False) -> None:
    """Ticks as people write them; where things are counted, at whole numbers alone."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    for name in which:
        axis = axes.xaxis if name == "x" else axes.yaxis
        if axis.get_scale() == "linear":
            steps = [1, 2, 2.5, 5, 10]
            axis.set_major_locator(MaxNLocator(nbins=6 if name == "x" else 5, steps=steps, integer=whole))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}".replace("-", "−")))


def _percent(axes: Axes, which: str = "y") -> None:
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    for name in which:
        axis = axes.xaxis if name == "x" else axes.yaxis
        axis.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))
        axis.set_major_formatter(PercentFormatter(1, symbol=" %"))


def _room_beside(axes: Axes, bars: int) -> None:
    """Keep few bars from becoming wide ones."""
    room = max(0.6, (6 - bars) / 2)
    axes.set_xlim(-room, bars - 1 + room)
