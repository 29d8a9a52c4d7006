"""What is raised on real workers comes back as it was raised."""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import pytest
import ray
import ray.data
from ray.data import ActorPoolStrategy
from ray.train import ScalingConfig
from ray.train.torch import TorchTrainer

from ray_qa.cluster.connection import quiet_ray
from ray_qa.cluster.worker_errors import error_from_worker
from ray_qa.errors import ClusterError, InputError, OutputError

pytestmark = pytest.mark.usefixtures("ray_cluster")


def refuse(_: Any = None) -> Any:
    raise InputError("`input` must be one thing, but is two", "`keep` must be there, but is not")


def fill(_: Any = None) -> Any:
    raise OSError(errno.ENOSPC, "No space left on device", "/out/part")


class Refusing:
    """A replica that refuses what it is given."""

    def __call__(self, batch: Any) -> Any:
        return refuse(batch)


def from_task(fail: Callable[..., Any]) -> None:
    ray.get(ray.remote(fail).options(num_cpus=0.1).remote())


def from_data_task(fail: Callable[..., Any]) -> None:
    ray.data.range(1).map_batches(fail, num_cpus=0.1).materialize()


def from_replica(_: Callable[..., Any]) -> None:
    ray.data.range(1).map_batches(Refusing, compute=ActorPoolStrategy(size=1), num_cpus=0.1).materialize()


def from_training_worker(fail: Callable[..., Any]) -> None:
    scaling = ScalingConfig(num_workers=1, resources_per_worker={"CPU": 0.1})
    TorchTrainer(fail, train_loop_config={}, scaling_config=scaling).fit()


def raised_by(run: Callable[[Callable[..., Any]], None], fail: Callable[..., Any]) -> BaseException:
    with quiet_ray(), pytest.raises(Exception) as caught:  # noqa: PT011  # whatever Ray makes of it
        run(fail)
    return caught.value


@pytest.mark.parametrize("run", [from_task, from_data_task, from_replica, from_training_worker])
def test_all_problems_of_an_error_of_ours_come_back_a_line_each(run: Callable[[Callable[..., Any]], None]) -> None:
    error = error_from_worker(raised_by(run, refuse))
    assert isinstance(error, InputError)
    assert error.problems == ("`input` must be one thing, but is two", "`keep` must be there, but is not")


@pytest.mark.parametrize("run", [from_task, from_data_task])
def test_a_full_disk_is_told_as_one(run: Callable[[Callable[..., Any]], None]) -> None:
    error = error_from_worker(raised_by(run, fill))
    assert isinstance(error, OutputError)
    assert "No space left on device" in str(error)
    assert len(str(error).splitlines()) == 1


def test_a_node_without_ray_qa_is_one_line_with_the_two_ways_out() -> None:
    told = "ray.exceptions.RaySystemError: ...\n  File ...\nModuleNotFoundError: No module named 'ray_qa'"
    error = error_from_worker(RuntimeError(told))
    assert isinstance(error, ClusterError)
    (line,) = error.problems
    assert line.startswith("every node must have ray_qa, but one cannot import it; install it on all nodes, or submit")


def test_what_is_no_error_of_ours_is_left_as_it_is() -> None:
    assert error_from_worker(RuntimeError("a crash")) is None
    assert error_from_worker(raised_by(from_task, lambda: 1 / 0)) is None
