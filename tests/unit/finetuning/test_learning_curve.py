from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ray_qa.finetuning.learning_curve import _rolling_mean, draw_learning_curve, learning_curve
from ray_qa.finetuning.tracking.metrics_log import Metrics

BLUE, ORANGE, GREEN, RED = (31, 119, 180), (255, 127, 14), (44, 160, 44), (214, 39, 40)


def trained(*losses: float) -> list[Metrics]:
    return [{"step": 10 * number, "loss": loss, "learning_rate": 3e-5} for number, loss in enumerate(losses, 1)]


def evaluated(*scores: float) -> list[Metrics]:
    return [{"step": 20 * number, "eval_exact": score - 1, "eval_f1": score} for number, score in enumerate(scores, 1)]


def drawn(metrics: Sequence[Metrics], exported_step: int = 10) -> Any:
    """The pixels of the picture."""
    png = draw_learning_curve(metrics, exported_step, "base, trained on rows")
    with Image.open(io.BytesIO(png), formats=["PNG"]) as picture:
        return np.asarray(picture.convert("RGB")).astype(int)


def has(pixels: Any, color: tuple[int, int, int]) -> bool:
    return bool((np.abs(pixels - color).max(axis=-1) < 12).any())


def test_loss_and_scores_and_the_models_step_are_to_be_seen() -> None:
    pixels = drawn([*trained(5, 3, 2, 1.5), *evaluated(30, 40)], 40)
    assert [has(pixels, color) for color in (BLUE, ORANGE, GREEN, RED)] == [True] * 4
    assert pixels.shape == (720, 960, 3)


def test_without_evaluation_there_is_the_loss_alone() -> None:
    pixels = drawn(trained(5, 3, 2, 1.5))
    assert [has(pixels, color) for color in (BLUE, ORANGE, GREEN, RED)] == [True, False, False, False]
    assert pixels.shape == (480, 960, 3)


@pytest.mark.parametrize(
    "metrics",
    [
        [],
        trained(5),
        evaluated(30),
        [*trained(5), *evaluated(30)],
        trained(0, 0),
        trained(float("inf"), 5, float("nan"), 3),
        trained(*[1e30, 1e-30] * 2_000),
        [*trained(*[1.0] * 2_000), *evaluated(*[0.0] * 50)],
        [{"step": 1, "loss": 5, "learning_rate": 0.0}],
    ],
    ids=["nothing", "one step", "one evaluation", "one of both", "zeros", "not finite", "wild", "long", "no rate"],
)
def test_any_log_can_be_drawn(metrics: list[Metrics]) -> None:
    assert drawn(metrics).std() > 0


def legend(axes: Any) -> list[str]:
    return [each.get_text() for each in axes.get_legend().get_texts()]


def test_the_title_says_what_was_trained_on_what_however_it_is_called() -> None:
    assert learning_curve(trained(5), 10, "größe $x^$, trained on a_b.json").get_suptitle() == (
        "größe $x^$, trained on a_b.json"
    )
    long = learning_curve(trained(5), 10, "base, trained on " + ", ".join(f"{number}.parquet" for number in range(99)))
    assert len(long.get_suptitle().splitlines()) == 2
    assert long.get_suptitle().endswith("…")
    drawn = draw_learning_curve(trained(5), 10, "größe $x^$ 數據")  # which no font of matplotlib's has
    assert drawn.startswith(b"\x89PNG")


def test_there_is_room_above_the_highest_point() -> None:
    figure = learning_curve([*trained(5.6, 5.5, 5.6), *evaluated(30, 40)], 40, "title")
    losses, scores, rates = figure.axes
    for axes, highest in ((losses, 5.6), (rates, 3e-5), (scores, 40)):
        lowest, top = axes.get_ylim()
        assert top - highest > 0.08 * (top - lowest)
        assert lowest >= 0


def test_few_losses_are_shown_as_they_are_and_many_with_their_mean_before_them() -> None:
    (few, _) = learning_curve(trained(*[2.0] * 40), 400, "title").axes
    assert legend(few) == ["training loss"]

    noisy = [2 + (-1) ** number for number in range(5_000)]
    (many, _) = learning_curve(trained(*noisy), 50_000, "title").axes
    assert legend(many) == ["training loss", "its mean over 2,000 steps"]
    raw, mean = (np.asarray(line.get_ydata(), dtype=float) for line in many.get_lines())
    np.testing.assert_array_equal(raw, noisy)
    assert (many.get_lines()[0].get_alpha() or 1) < 0.5
    np.testing.assert_allclose(mean, 2, atol=0.02)


def test_the_mean_is_of_what_is_finite_within_its_steps_and_near_the_ends_of_what_there_is() -> None:
    steps = np.array([1, 10, 20, 30, 40], dtype=float)
    losses = np.array([1, np.nan, 3, np.inf, 8])
    assert _rolling_mean(steps, losses, 40).tolist() == [2, 2, 4, 5.5, 5.5]


@pytest.mark.parametrize(
    ("steps", "exported", "labels"),
    [
        ([200, 400, 600], 400, ["39.5", "40.0", "39.0"]),
        ([20], 20, ["40.0"]),
        (list(range(20, 601, 20)), 580, ["40.0", "39.0"]),
        (list(range(20, 601, 20)), 600, ["40.0"]),
        ([*range(100, 1_001, 100), 1_001], 1_000, ["40.0", "39.0"]),
        ([*range(100, 1_001, 100), 1_001], 1_001, ["40.0"]),
        ([], 100, []),
    ],
    ids=["few", "one", "many", "many, best last", "two close", "two close, best last", "none"],
)
def test_evaluations_are_marked_with_f1_and_no_two_marks_overlap(
    steps: list[int], exported: int, labels: list[str]
) -> None:
    scores = {step: 39.5 if step < exported else 39.0 for step in steps} | {exported: 40.0}
    judged = [{"step": step, "eval_f1": scores[step], "eval_exact": 20.0} for step in steps]
    figure = learning_curve([*trained(*[2.0] * 60), *judged], exported, "title")
    found = figure.axes[1].texts if steps else []
    assert [each.get_text() for each in found] == labels
    figure.draw_without_rendering()
    boxes = [each.get_window_extent() for each in found]
    assert not any(one.overlaps(other) for nth, one in enumerate(boxes) for other in boxes[:nth])
    for box in boxes:
        assert figure.bbox.contains(box.x0, box.y0)
        assert figure.bbox.contains(box.x1, box.y1)
    assert [each.get_fontweight() for each in found].count("bold") == bool(steps)
