"""One run of two workers that many tests look at, and its command line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from ray_qa import FinetuneConfig, finetune
from ray_qa.finetuning.summary import FinetuneSummary
from tests.model.finetuning.training_rows import questions

SMALL: dict[str, Any] = {"max_tokens": 96, "stride": 16, "max_question_tokens": 24, "batch_size": 8}
LAST_STEP = 60


@pytest.fixture(scope="session")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rows") / "rows.parquet"
    pq.write_table(questions(120, unanswerable=0.3), path)
    return path


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A run of two workers, with which nothing happened."""

    config: FinetuneConfig
    summary: FinetuneSummary

    @property
    def flags(self) -> list[str]:
        return flags_of(self.config)


@pytest.fixture(scope="package")
def undisturbed(
    ray_cluster: None,  # noqa: ARG001  # only has to be there
    tiny_base: Path,
    rows: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Trained:
    config = FinetuneConfig(
        model=str(tiny_base), train=(str(rows),), eval=str(rows),
        output=str(tmp_path_factory.mktemp("trained") / "out"), workers=2, cpus_per_worker=0.5,
        epochs=20, max_steps=LAST_STEP, save_every=4, eval_every=25,
        learning_rate=1e-3, dropout=0.2, negative_ratio=0.5, **SMALL,
    )  # fmt: skip
    return Trained(config=config, summary=finetune(config))


def flags_of(settings: FinetuneConfig | dict[str, Any]) -> list[str]:
    """Settings as a command line."""
    if isinstance(settings, FinetuneConfig):
        settings = settings.model_dump(mode="json", exclude_defaults=True)
    return [
        part
        for name, value in settings.items()
        for part in [f"--{name.replace('_', '-')}", *map(str, value if isinstance(value, list) else [value])]
    ]
