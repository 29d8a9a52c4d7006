"""The learning curve: loss, learning rate and evaluation scores over the steps, as a PNG."""

from __future__ import annotations

import io
from collections.abc import Sequence

from ray_qa.metrics_log import Metrics


def draw_learning_curve(metrics: Sequence[Metrics], exported_step: int) -> bytes:
    """Draw the lines of a metrics log.

    Args:
        metrics: its lines.
        exported_step: the step whose weights are the model's; it is marked.
    """
    from matplotlib.figure import Figure

    steps = [line for line in metrics if "loss" in line]
    judged = [line for line in metrics if "eval_f1" in line]
    figure = Figure(figsize=(8, 6 if judged else 4), dpi=120, layout="constrained")
    axes = figure.subplots(2 if judged else 1, 1, sharex=True, squeeze=False)[:, 0]

    axes[0].plot([line["step"] for line in steps], [line["loss"] for line in steps], color="C0", linewidth=1)
    axes[0].set_ylabel("training loss", color="C0")
    axes[0].set_ylim(bottom=0)
    rates = axes[0].twinx()
    rates.plot([line["step"] for line in steps], [line["learning_rate"] for line in steps], color="C7", linestyle=":")
    rates.set_ylabel("learning rate (dotted)", color="C7")
    rates.set_ylim(bottom=0)
    if judged:
        at = [line["step"] for line in judged]
        axes[1].plot(at, [line["eval_f1"] for line in judged], color="C1", marker="o", label="F1")
        axes[1].plot(at, [line["eval_exact"] for line in judged], color="C2", marker="s", label="exact match")
        axes[1].set_ylabel("evaluation, percent")
        axes[1].axvline(exported_step, color="C3", linewidth=1, label=f"the model: step {exported_step:,}")
        axes[1].legend(loc="lower right")
    axes[-1].set_xlabel("step")
    for each in axes:
        each.grid(alpha=0.3)
    sink = io.BytesIO()
    figure.savefig(sink, format="png")
    return sink.getvalue()
