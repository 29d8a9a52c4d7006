"""The learning curve: loss, learning rate and evaluation scores over the steps, as a PNG."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ray_qa.finetuning.tracking.metrics_log import Metrics

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw_learning_curve(metrics: Sequence[Metrics], exported_step: int) -> bytes:
    """Draw the lines of a metrics log.

    Args:
        metrics: its lines.
        exported_step: the step whose weights are the model's; it is marked.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    losses = [line for line in metrics if "loss" in line]
    judged = [line for line in metrics if "eval_f1" in line]
    figure = Figure(figsize=(8, 6 if judged else 4), dpi=120, layout="constrained")
    axes = figure.subplots(2 if judged else 1, 1, sharex=True, squeeze=False)[:, 0]
    rates = axes[0].twinx()

    _plot(rates, losses, "learning_rate", color="C7", linestyle=":", linewidth=1)
    rates.set_ylabel("learning rate (dotted)", color="C7")
    rates.yaxis.set_major_formatter(StrMethodFormatter("{x:.1e}"))
    _plot(axes[0], losses, "loss", color="C0", linewidth=1)
    axes[0].set_ylabel("training loss", color="C0")
    axes[0].set_zorder(rates.get_zorder() + 1)
    axes[0].patch.set_visible(False)
    for each in (axes[0], rates):
        each.set_ylim(bottom=0)
    if judged:
        axes[1].axvline(exported_step, color="C3", linewidth=1.5, zorder=1, label=f"the model: step {exported_step:,}")
        _plot(axes[1], judged, "eval_f1", color="C1", marker="o", markersize=4, label="F1")
        _plot(axes[1], judged, "eval_exact", color="C2", marker="s", markersize=4, label="exact match")
        axes[1].set_ylabel("evaluation, percent")
        axes[1].legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False, borderaxespad=0)
    axes[-1].set_xlabel("step")
    axes[-1].xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    axes[-1].xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    for each in axes:
        each.grid(alpha=0.3)
    sink = io.BytesIO()
    figure.savefig(sink, format="png")
    return sink.getvalue()


def _plot(axes: Axes, lines: Sequence[Metrics], name: str, **style: Any) -> None:
    axes.plot([line["step"] for line in lines], [line[name] for line in lines], **style)
