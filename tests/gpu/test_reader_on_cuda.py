"""The same answers on a GPU as on the CPU; skipped where torch finds no CUDA."""

from __future__ import annotations

from pathlib import Path

import pytest

from ray_qa.reader.reader import Reader
from ray_qa.records import Row
from tests.model.conftest import EXACT, span_model_of

ROWS = [Row(question="Who was it?", context=f"It was number {n}, a nice puppet. " * 40) for n in range(20)]


def test_float32_on_cuda_gives_the_answers_of_the_cpu(tiny_reader_folder: Path) -> None:
    on_cpu = Reader.load(str(tiny_reader_folder), device="cpu", **EXACT).read(ROWS)
    on_cuda = Reader.load(str(tiny_reader_folder), device="cuda", dtype="float32").read(ROWS)
    assert [answer.null_score for answer in on_cuda] == pytest.approx(
        [answer.null_score for answer in on_cpu], abs=1e-3
    )
    assert [answer.status for answer in on_cuda] == [answer.status for answer in on_cpu]


def test_auto_picks_half_precision_on_cuda(tiny_reader_folder: Path) -> None:
    reader = Reader.load(str(tiny_reader_folder))
    model = span_model_of(reader)
    assert (model.device.type, str(model.dtype)) in [
        ("cuda", "torch.bfloat16"),
        ("cuda", "torch.float16"),
    ]
