"""What the stages ask of Ray Data, seen by a stand-in for the dataset; no cluster is started."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pytest
from ray.data import ActorPoolStrategy, Dataset

from ray_qa import AnnotateConfig
from ray_qa.annotation.pipeline import stages
from ray_qa.annotation.stages import Annotator, encode_units
from ray_qa.cluster.placement import Node, place
from ray_qa.reader.model_files import ModelFiles
from tests.cluster.annotation.jobs import job_for

JOB = job_for(
    AnnotateConfig(input=("in.parquet",), output="out"),
    ModelFiles(ref="embedded", folder=Path("model"), weights_sha256="", tokenizer_sha256=""),
    pa.schema([]),
)
LAPTOP, GPU_NODE = Node(cpus=2, gpus=0), Node(cpus=4, gpus=1)


class RecordingDataset:
    """Notes what is asked of it."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, dict[str, Any]]] = []

    def map_batches(self, stage: Any, **asked: Any) -> RecordingDataset:
        self.asked.append((stage, asked))
        return self


def _asked(
    *nodes: Node,
    replicas: str = "auto",
    cpus_per_replica: float | None = None,
    gpus_per_replica: float | None = None,
    units: int = 1_000,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the two stages ask on these nodes."""
    dataset = RecordingDataset()
    placement = place(
        nodes,
        replicas=replicas,
        cpus_per_replica=cpus_per_replica,
        gpus_per_replica=gpus_per_replica,
        device="auto",
        can_grow=lambda: True,
    )
    stages(cast(Dataset, dataset), JOB, placement, units=units)
    (first, encoding), (second, scoring) = dataset.asked
    assert (first, second) == (encode_units, Annotator)
    return encoding, scoring


@pytest.mark.parametrize("nodes", [(LAPTOP,), (Node(cpus=1, gpus=0),), (Node(cpus=64, gpus=0),) * 3, (GPU_NODE,)])
@pytest.mark.parametrize("share", [None, 0.5, 0.505])
def test_the_stages_ask_for_different_cpus_so_that_ray_data_does_not_fuse_them(
    nodes: tuple[Node, ...], share: float | None
) -> None:
    encoding, scoring = _asked(*nodes, cpus_per_replica=share)

    assert encoding["num_cpus"] != scoring["num_cpus"]


def test_no_more_replicas_are_started_than_there_are_units() -> None:
    _, scoring = _asked(Node(cpus=64, gpus=0), replicas="2:8", units=3)
    assert (scoring["compute"].min_size, scoring["compute"].max_size) == (2, 3)
    _, scoring = _asked(Node(cpus=64, gpus=0), replicas="8", units=3)
    assert (scoring["compute"].min_size, scoring["compute"].max_size) == (3, 3)


def test_a_replica_gets_one_unit_at_a_time_and_has_the_next_in_flight() -> None:
    _, scoring = _asked(LAPTOP)

    assert scoring["batch_size"] == 1
    assert scoring["compute"].max_tasks_in_flight_per_actor == 2


def test_units_are_encoded_as_they_come_in_whatever_batches() -> None:
    encoding, _ = _asked(LAPTOP)

    assert encoding["batch_size"] is None
    assert encoding["batch_format"] == "pyarrow"
    assert "compute" not in encoding


@pytest.mark.parametrize(
    ("replicas", "fewest", "most"), [("auto", 2, 2), ("1", 1, 1), ("1:2", 1, 2), ("3", 3, 3), ("2:8", 2, 8)]
)
def test_the_pool_is_fixed_unless_a_range_is_asked_for(replicas: str, fewest: int, most: int) -> None:
    _, scoring = _asked(LAPTOP, replicas=replicas)
    pool = scoring["compute"]

    assert isinstance(pool, ActorPoolStrategy)
    assert (pool.min_size, pool.max_size) == (fewest, most)


@pytest.mark.parametrize("nodes", [(LAPTOP,), (Node(cpus=1, gpus=0),), (Node(cpus=16, gpus=0),) * 2, (GPU_NODE,) * 2])
def test_a_full_pool_leaves_every_node_the_cpus_of_a_reading_task(nodes: tuple[Node, ...]) -> None:
    encoding, scoring = _asked(*nodes)
    replicas_a_node = scoring["compute"].max_size / len(nodes)

    assert replicas_a_node * scoring["num_cpus"] + encoding["num_cpus"] <= nodes[0].cpus


def test_gpus_are_asked_for_only_where_there_are_some() -> None:
    assert _asked(LAPTOP)[1]["num_gpus"] is None
    assert _asked(GPU_NODE)[1]["num_gpus"] == 1
    assert _asked(LAPTOP, replicas="1:8", gpus_per_replica=1)[1]["num_gpus"] == 1
    assert _asked(GPU_NODE, gpus_per_replica=0.25)[1]["compute"].max_size == 4
