"""The learning curve: loss, learning rate and evaluation scores over the steps, as a PNG."""

from __future__ import annotations

import io
import itertools
import textwrap
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ray_qa.finetuning.tracking.metrics_log import Metrics
from ray_qa.reader.arrays import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.text import Annotation

MANY_LINES = 100
"""From so many lines of the log on, the loss is shown smoothed too."""
SMOOTHED_SHARE = 0.05
"""Of all steps, those that a point of the smoothed loss is the mean of."""
HEADROOM = 1.15
MOST_LABELS = 20
"""Evaluations that are tried to be labelled all."""
TITLE_LETTERS = 80


def draw_learning_curve(metrics: Sequence[Metrics], exported_step: int, title: str) -> bytes:
    """Draw the lines of a metrics log.

    Args:
        metrics: its lines.
        exported_step: the step whose weights are the model's; it is marked.
        title: what was trained on what, as one line.
    """
    sink = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # names may be in any script
        learning_curve(metrics, exported_step, title).savefig(sink, format="png")
    return sink.getvalue()


def learning_curve(metrics: Sequence[Metrics], exported_step: int, title: str) -> Figure:
    """The same as a figure of matplotlib: the loss above, the evaluations, if there are any, below."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    losses = [line for line in metrics if "loss" in line]
    judged = [line for line in metrics if "eval_f1" in line]
    figure = Figure(figsize=(8, 6 if judged else 4), dpi=120, layout="constrained")
    axes = figure.subplots(2 if judged else 1, 1, sharex=True, squeeze=False)[:, 0]
    lines = textwrap.wrap(title, TITLE_LETTERS, max_lines=2, placeholder=" …")
    figure.suptitle("\n".join(lines), fontsize="medium", parse_math=False)  # a name may have dollars in it
    axes[-1].set_xlabel("step")
    axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10], min_n_ticks=1))
    axes[-1].xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    _draw_losses(axes[0], losses)
    if judged:
        _draw_scores(axes[1], judged, exported_step)
        _label_scores(figure, axes[1], judged, exported_step)
    return figure


def _draw_losses(axes: Axes, lines: Sequence[Metrics]) -> None:
    """The loss, with its mean where there are many lines, and behind it the learning rate."""
    from matplotlib.ticker import StrMethodFormatter

    rates = axes.twinx()
    _plot(rates, lines, "learning_rate", color="C7", linestyle=":", linewidth=1)
    rates.set_ylabel("learning rate (dotted)", color="C7")
    rates.yaxis.set_major_formatter(StrMethodFormatter("{x:.1e}"))
    if len(lines) < MANY_LINES:
        _plot(axes, lines, "loss", color="C0", linewidth=1, marker=".", label="training loss")
    else:
        step_N, loss_N = (np.array([line[name] for line in lines], dtype=float) for name in ("step", "loss"))
        span = float(f"{(step_N[-1] - step_N[0]) * SMOOTHED_SHARE:.0e}")  # a round number
        axes.plot(step_N, loss_N, color="C0", linewidth=0.8, alpha=0.3, label="training loss")
        label = f"its mean over {span:,.0f} steps"
        axes.plot(step_N, _rolling_mean(step_N, loss_N, span), color="C0", linewidth=1.5, label=label)
    axes.set_ylabel("training loss", color="C0")
    axes.set_zorder(rates.get_zorder() + 1)
    axes.patch.set_visible(False)
    _decorate(axes)
    for each, name in ((axes, "loss"), (rates, "learning_rate")):
        highest = max((line[name] for line in lines if np.isfinite(line[name])), default=0)
        each.set_ylim(0, HEADROOM * highest or 1)


def _rolling_mean(step_N: Floats, value_N: Floats, span: float) -> Floats:
    """The mean of the finite values within ``span / 2`` steps of each step."""
    first_N = np.searchsorted(step_N, step_N - span / 2, side="left")
    after_N = np.searchsorted(step_N, step_N + span / 2, side="right")
    finite_N = np.isfinite(value_N)
    sums, counts = (np.concatenate([[0], np.cumsum(each)]) for each in (np.where(finite_N, value_N, 0), finite_N))
    means_N: Floats = (sums[after_N] - sums[first_N]) / np.maximum(1, counts[after_N] - counts[first_N])
    return means_N


def _draw_scores(axes: Axes, lines: Sequence[Metrics], exported_step: int) -> None:
    axes.axvline(exported_step, color="C3", linewidth=1.5, zorder=1, label=f"the model: step {exported_step:,}")
    _plot(axes, lines, "eval_f1", color="C1", marker="o", markersize=4, label="F1")
    _plot(axes, lines, "eval_exact", color="C2", marker="s", markersize=4, label="exact match")
    axes.set_ylabel("evaluation, percent")
    axes.margins(y=HEADROOM - 1)
    lowest, highest = axes.get_ylim()
    axes.set_ylim(max(0, lowest), max(1, highest))
    _decorate(axes)


def _label_scores(figure: Figure, axes: Axes, lines: Sequence[Metrics], exported_step: int) -> None:
    """Write F1 above its points: above all of them, or where those labels would overlap, the model's and the last."""
    model = next((line for line in lines if line["step"] == exported_step), lines[-1])
    last = lines[-1]
    few = {"right": model, "left": last} if model is not last else {"center": model}
    if len(lines) <= MOST_LABELS:
        labels = [_label(axes, line, "center", bold=line is model) for line in lines]
        figure.draw_without_rendering()
        boxes = [label.get_window_extent() for label in labels]
        if not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2)):
            return
        for label in labels:
            label.remove()
    for alignment, line in few.items():
        _label(axes, line, alignment, bold=line is model)


def _label(axes: Axes, line: Metrics, alignment: str, *, bold: bool) -> Annotation:
    from matplotlib.patheffects import withStroke

    return axes.annotate(
        f"{line['eval_f1']:.1f}",
        (line["step"], line["eval_f1"]),
        xytext=(0, 6),
        textcoords="offset points",
        horizontalalignment=alignment,
        fontsize="small",
        fontweight="bold" if bold else "normal",
        path_effects=[withStroke(linewidth=3, foreground="white")],
    )


def _decorate(axes: Axes) -> None:
    axes.grid(alpha=0.3)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False, borderaxespad=0)


def _plot(axes: Axes, lines: Sequence[Metrics], name: str, **style: Any) -> None:
    axes.plot([line["step"] for line in lines], [line[name] for line in lines], **style)
