"""What ``auto`` stands for is settled once, pinned in the plan, and never mixed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ray_qa.annotation import arithmetic
from ray_qa.annotation.annotate import annotate
from ray_qa.annotation.arithmetic import settle_arithmetic
from ray_qa.annotation.config import AnnotateConfig
from ray_qa.annotation.stages import Arithmetic
from ray_qa.cluster.gpus import dtype_of_gpus
from ray_qa.cluster.placement import Placement
from ray_qa.errors import ModelError, OutputError
from tests.cluster import corpora
from tests.cluster.conftest import ONE_REPLICA, SMALL_WINDOWS

ON_CPU = Placement(fewest=1, most=1, threads=3, reserved_cpus=3, gpus=0)
ON_GPU = Placement(fewest=1, most=1, threads=1, reserved_cpus=1, gpus=1)


def config(**settings: Any) -> AnnotateConfig:
    return AnnotateConfig(input=("in.parquet",), output="out", **settings)


@pytest.fixture
def cards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nodes whose cards have no bfloat16."""
    monkeypatch.setattr(arithmetic, "dtype_of_gpus", lambda gpus: "float16" if gpus else pytest.fail("none booked"))


@pytest.mark.usefixtures("cards")
@pytest.mark.parametrize(
    ("settings", "placement", "settled"),
    [
        ({}, ON_CPU, ("cpu", "float32", 3_072)),
        ({"device": "mps"}, ON_CPU, ("mps", "float32", 8_192)),
        ({}, ON_GPU, ("cuda", "float16", 16_384)),
        ({"dtype": "float32", "batch_tokens": 500}, ON_GPU, ("cuda", "float32", 500)),
    ],
    ids=str,
)
def test_the_placement_decides_on_the_device_and_all_replicas_compute_alike(
    settings: dict[str, Any], placement: Placement, settled: tuple[str, str, int]
) -> None:
    device, dtype, batch_tokens = settled
    wanted = Arithmetic(device=device, dtype=dtype, batch_tokens=batch_tokens)
    assert settle_arithmetic(config(**settings), placement) == wanted


def test_a_run_that_goes_on_keeps_the_batches_of_its_plan_unless_told_otherwise() -> None:
    earlier = {"device": "cpu", "dtype": "float32", "batch_tokens": 77}
    assert settle_arithmetic(config(), ON_CPU, earlier).batch_tokens == 77
    assert settle_arithmetic(config(batch_tokens=99), ON_CPU, earlier).batch_tokens == 99


@pytest.mark.usefixtures("ray_cluster")
def test_the_plan_holds_what_auto_stood_for_and_a_run_on_other_arithmetic_is_refused(
    tiny_reader_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = corpora.write(tmp_path / "in.parquet", corpora.plain(12), row_group_size=4)
    settings: dict[str, Any] = {
        "input": (str(path),), "output": str(tmp_path / "out"), "model": str(tiny_reader_folder), "unit_rows": 4,
    }  # fmt: skip
    first = AnnotateConfig(**settings, **ONE_REPLICA, **SMALL_WINDOWS)
    annotate(first)
    pinned = json.loads((tmp_path / "out/.ray_qa/plan.json").read_text())["settings"]
    assert (pinned["device"], pinned["dtype"], pinned["batch_tokens"]) == ("cpu", "float32", 1_024)

    for name in ("_SUCCESS", "part-0000001.parquet"):
        (tmp_path / "out" / name).unlink()
    # As on a cluster whose CPUs compute in bfloat16 by default.
    elsewhere = Arithmetic(device="cpu", dtype="bfloat16", batch_tokens=1_024)
    monkeypatch.setattr("ray_qa.annotation.annotate.settle_arithmetic", lambda *_: elsewhere)
    with pytest.raises(OutputError, match=r"differs in `dtype` \(float32 there, bfloat16 now\); name another"):
        annotate(first)
    assert not (tmp_path / "out/part-0000001.parquet").exists()
    monkeypatch.undo()
    assert annotate(first).scored_rows == 4


@pytest.mark.usefixtures("ray_cluster")
def test_a_node_that_is_asked_for_its_card_and_has_none_that_works_is_refused_in_one_line() -> None:
    with pytest.raises(
        ModelError, match=r"^`device` must be one this machine has, but is cuda and torch finds no CUDA"
    ):
        dtype_of_gpus(0)
