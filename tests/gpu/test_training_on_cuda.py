"""The training loop on a GPU against the CPU; skipped where torch finds no CUDA."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ray_qa.finetuning.job import TrainingJob
from ray_qa.finetuning.loop import train
from tests.model.finetuning.training_rows import losses, prepared, questions


def moved_to_cuda(job: TrainingJob) -> TrainingJob:
    return replace(job, arithmetic=replace(job.arithmetic, device="cuda"))


def test_float32_on_cuda_follows_the_losses_of_the_cpu(tiny_base: Path, tmp_path: Path) -> None:
    rows = questions(60)
    on_cpu = prepared(tmp_path / "cpu", tiny_base, rows, dropout=0.0, max_steps=20, epochs=3)
    on_cuda = prepared(tmp_path / "cuda", tiny_base, rows, dropout=0.0, max_steps=20, epochs=3, dtype="float32")
    train(on_cpu)
    train(moved_to_cuda(on_cuda))
    assert losses(on_cuda) == pytest.approx(losses(on_cpu), rel=1e-2)


@pytest.mark.parametrize("dtype", ["auto", "float16"])
def test_low_precision_learns_on_cuda(tiny_base: Path, tmp_path: Path, dtype: str) -> None:
    rows = questions(64)
    job = prepared(
        tmp_path / "run", tiny_base, rows, eval_rows=rows, epochs=50, batch_size=16, learning_rate=3e-3, dtype=dtype
    )
    state = train(moved_to_cuda(job))
    assert state.best is not None
    assert state.best.f1 > 90
