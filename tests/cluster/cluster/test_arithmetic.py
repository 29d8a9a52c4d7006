"""What ``auto`` stands for is settled once, pinned in the plan, and never mixed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ray_qa.annotation.annotate import annotate
from ray_qa.annotation.config import AnnotateConfig
from ray_qa.cluster import arithmetic
from ray_qa.cluster.arithmetic import settle_arithmetic
from ray_qa.errors import ClusterError, ModelError, OutputError
from ray_qa.reader import engine
from ray_qa.reader.arithmetic import Arithmetic
from tests.cluster import corpora
from tests.cluster.conftest import ONE_REPLICA, SMALL_WINDOWS


def settle(**asked: Any) -> Arithmetic:
    plain: dict[str, Any] = {
        "kind": "roberta", "backend": "auto", "device": "auto", "dtype": "auto", "batch_tokens": "auto",
        "work": "reading", "gpus": 0.0, "threads": 3, "patience": 60.0, "private": True,
    }  # fmt: skip
    return settle_arithmetic(**plain | asked)


@pytest.fixture
def cards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nodes whose CPUs and cards have no bfloat16, and which have OpenVINO."""
    monkeypatch.setattr(engine, "cpu_features", frozenset)
    monkeypatch.setattr(engine, "is_installed", lambda: True)
    monkeypatch.setattr(
        arithmetic, "_dtype_of_gpus", lambda gpus, *_: "float16" if gpus else pytest.fail("none is booked")
    )


@pytest.mark.usefixtures("cards")
@pytest.mark.parametrize(
    ("asked", "settled"),
    [
        ({}, ("cpu", "openvino", "float32", 3_072)),
        ({"kind": "luke"}, ("cpu", "torch", "float32", 3_072)),
        ({"work": "training"}, ("cpu", "torch", "float32", 4_096)),
        ({"device": "mps"}, ("mps", "torch", "float32", 8_192)),
        ({"gpus": 1}, ("cuda", "torch", "float16", 16_384)),
        ({"gpus": 0.5, "dtype": "float32", "batch_tokens": 500}, ("cuda", "torch", "float32", 500)),
    ],
    ids=str,
)
def test_the_placement_decides_on_the_device_and_all_workers_compute_alike(
    asked: dict[str, Any], settled: tuple[str, str, str, int]
) -> None:
    device, backend, dtype, batch_tokens = settled
    assert settle(**asked) == Arithmetic(device=device, backend=backend, dtype=dtype, batch_tokens=batch_tokens)


@pytest.mark.usefixtures("ray_cluster")
def test_the_plan_holds_what_auto_stood_for_and_a_run_on_other_arithmetic_is_refused(
    tiny_reader_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = corpora.write(tmp_path / "in.parquet", corpora.plain(12), row_group_size=4)
    settings: dict[str, Any] = {
        "input": (str(path),), "output": str(tmp_path / "out"), "model": str(tiny_reader_folder), "unit_rows": 4,
        "batch_tokens": 777,
    }  # fmt: skip
    first = AnnotateConfig(**settings | ONE_REPLICA | SMALL_WINDOWS | {"dtype": "auto"})
    annotate(first)
    plan = tmp_path / "out/.ray_qa/plan.json"
    pinned = json.loads(plan.read_text())["settings"]
    assert (pinned["device"], pinned["batch_tokens"]) == ("cpu", 777)
    assert "auto" not in (pinned["backend"], pinned["dtype"])

    for name in ("_SUCCESS", "part-0000001.parquet"):
        (tmp_path / "out" / name).unlink()
    # As on a cluster whose CPUs compute otherwise by default.
    elsewhere = Arithmetic(device="cpu", backend=pinned["backend"], dtype="float16", batch_tokens=777)
    monkeypatch.setattr("ray_qa.annotation.running.settle_arithmetic", lambda **_: elsewhere)
    with pytest.raises(
        OutputError, match=rf"differs in `dtype` \({pinned['dtype']} there, float16 now\); name another"
    ):
        annotate(first)
    assert not (tmp_path / "out/part-0000001.parquet").exists()
    monkeypatch.undo()
    # What is any machine's to choose is as the plan has it.
    goes_on = first.model_copy(update={"batch_tokens": "auto", "unit_rows": "auto"})
    assert annotate(goes_on).scored_rows == 4
    assert json.loads(plan.read_text())["settings"] == pinned


@pytest.mark.usefixtures("ray_cluster")
def test_a_gpu_that_nobody_has_is_waited_for_and_then_refused_in_one_line() -> None:
    with pytest.raises(
        ClusterError, match=r"^`gpus_per_worker` must be had within 0\.5 s, but no node had 1 GPUs free"
    ):
        settle(gpus=1, work="training", patience=0.5)


def test_a_node_whose_torch_finds_no_cuda_says_so_by_the_setting_that_books_gpus(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(
        ModelError, match=r"^`gpus_per_replica` must be 0 where torch finds no CUDA, as on .*, but is 1;"
    ):
        arithmetic._dtype_here("gpus_per_replica", 1)
