from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ray_qa.finetuning.learning_curve import draw_learning_curve
from ray_qa.finetuning.tracking.metrics_log import Metrics

BLUE, ORANGE, GREEN, RED = (31, 119, 180), (255, 127, 14), (44, 160, 44), (214, 39, 40)


def trained(*losses: float) -> list[Metrics]:
    return [{"step": 10 * number, "loss": loss, "learning_rate": 3e-5} for number, loss in enumerate(losses, 1)]


def evaluated(*scores: float) -> list[Metrics]:
    return [{"step": 20 * number, "eval_exact": score - 1, "eval_f1": score} for number, score in enumerate(scores, 1)]


def drawn(metrics: Sequence[Metrics], exported_step: int = 10) -> Any:
    """The pixels of the picture."""
    png = draw_learning_curve(metrics, exported_step)
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
