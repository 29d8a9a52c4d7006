"""A metrics log for the tests of trackers, and what each should show of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ray_qa.finetuning.config import FinetuneConfig
from ray_qa.finetuning.tracking.metrics_log import Metrics
from ray_qa.finetuning.tracking.trackers import Trackers, open_trackers

STEPS = 100


def trained(step: int) -> dict[str, float]:
    return {
        "step": step,
        "steps": STEPS,
        "loss": 5.0 / step,
        "learning_rate": 3e-5,
        "windows_per_second": 12.5,
        "bad_steps": 0,
        "time": 1_000_000.0 + step,
    }


def evaluated(step: int) -> dict[str, float]:
    return {"step": step, "eval_exact": step / 2, "eval_f1": step / 1.5, "time": 1_000_000.5 + step}


def log_until(step: int) -> list[Metrics]:
    """The log after so many steps: a line every ten steps, an evaluation every fifty."""
    lines: list[Metrics] = []
    for each in range(10, step + 1, 10):
        lines.append(trained(each))
        if each % 50 == 0:
            lines.append(evaluated(each))
    return lines


def config(*report_to: str, **settings: Any) -> FinetuneConfig:
    given: dict[str, Any] = {"model": "owner/base", "train": ("rows.json",), "output": "out", "report_to": report_to}
    return FinetuneConfig(**given | settings)


def trackers_of(config: FinetuneConfig, folder: Path) -> Trackers:
    """The trackers of a run with this output, opened."""
    return open_trackers(
        config.report_to,
        run_name=folder.name,
        parameters=config.model_dump(mode="json"),
        tensorboard=folder / "tensorboard",
        mlflow_run_id=folder / ".ray_qa/mlflow_run_id",
    )


def single(value: float) -> float:
    """The value in single precision, which is all that event files keep."""
    return float(np.float32(value))


def expected_points(lines: Sequence[Metrics]) -> dict[str, list[tuple[int, float, float]]]:
    points: dict[str, list[tuple[int, float, float]]] = {}
    for line in lines:
        for name, value in line.items():
            if name not in ("step", "steps", "time"):
                tag = f"train/{name}" if "loss" in line else f"eval/{name.removeprefix('eval_')}"
                points.setdefault(tag, []).append((int(line["step"]), single(value), line["time"]))
    return points
