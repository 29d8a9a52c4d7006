from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ray_qa.cluster.placement import READ_CPUS, Node, Placement, WorkerPlacement, place, place_workers

LAPTOP = [Node(cpus=2, gpus=0)]
GPU_BOX = [Node(cpus=16, gpus=4)]


def placed(nodes: list[Node], replicas: str = "auto", *, can_grow: bool = False, **settings: Any) -> Placement:
    asked: dict[str, Any] = {"cpus_per_replica": None, "gpus_per_replica": None, "device": "auto"}
    return place(nodes, replicas=replicas, can_grow=lambda: can_grow, **asked | settings)


def test_a_laptop_of_two_cores_gets_two_replicas_and_room_to_read() -> None:
    placement = placed(LAPTOP)
    assert (placement.fewest, placement.most, placement.threads, placement.gpus) == (2, 2, 1, 0)
    assert placement.reserved_cpus == pytest.approx(0.75, abs=0.011)
    assert 2 * placement.reserved_cpus + READ_CPUS <= 2


@pytest.mark.parametrize(
    ("replicas", "fewest", "most", "threads"),
    [("1", 1, 1, 8), ("3", 3, 3, 2), ("8", 8, 8, 1), ("2:4", 2, 4, 2), ("1:8", 1, 8, 1)],
)
def test_a_number_of_replicas_shares_the_cores_out_for_the_most_there_can_be(
    replicas: str, fewest: int, most: int, threads: int
) -> None:
    placement = placed([Node(cpus=8, gpus=0)], replicas)
    assert (placement.fewest, placement.most, placement.threads) == (fewest, most, threads)


def test_shares_are_such_that_whole_replicas_fit_the_nodes() -> None:
    nodes = [Node(cpus=3, gpus=0), Node(cpus=3, gpus=0)]
    assert placed(nodes, "3").threads == 1  # 2 CPUs each would leave the third no room
    assert placed(nodes, "2").threads == 3


def test_shares_need_not_be_even_numbers() -> None:
    assert placed([Node(cpus=10, gpus=0)], "3").threads == 3


def test_a_machine_of_one_core_reads_beside_its_replica() -> None:
    placement = placed([Node(cpus=1, gpus=0)])
    assert 0.4 < placement.reserved_cpus < READ_CPUS  # an equal request would be fused with reading


def test_replicas_take_a_gpu_each_where_there_are_any() -> None:
    assert placed(GPU_BOX) == Placement(fewest=4, most=4, threads=1, cpus=1, reserved_cpus=0.99, gpus=1, fits=True)
    assert placed([*LAPTOP, *GPU_BOX]).most == 4
    assert placed(GPU_BOX, "2", cpus_per_replica=6).threads == 6


@pytest.mark.parametrize(("device", "gpus"), [("auto", 1), ("cuda", 1), ("cpu", 0), ("mps", 0)])
def test_no_gpu_is_booked_for_another_device(device: str, gpus: float) -> None:
    assert placed(GPU_BOX, device=device).gpus == gpus


def test_cuda_is_booked_where_no_gpu_is_up_yet_and_refused_where_none_can_come() -> None:
    assert placed(LAPTOP, device="cuda", can_grow=True) == Placement(
        fewest=1, most=1, threads=1, cpus=1, reserved_cpus=0.99, gpus=1, fits=True
    )
    assert not placed(LAPTOP, device="cuda").fits


def test_gpus_can_be_shared_or_left_alone() -> None:
    assert placed(GPU_BOX, gpus_per_replica=0.5).most == 8
    on_cpus = placed(GPU_BOX, gpus_per_replica=0)
    assert (on_cpus.most, on_cpus.gpus) == (16, 0)


def test_few_cpus_limit_the_replicas_of_a_node_with_many_gpus() -> None:
    assert placed([Node(cpus=3, gpus=8)]).most == 3


@pytest.mark.parametrize(
    ("nodes", "replicas", "settings", "fewest"),
    [
        (LAPTOP, "3", {}, 3),
        (LAPTOP, "3:4", {}, 3),
        (LAPTOP, "auto", {"cpus_per_replica": 2.5}, 1),
        (LAPTOP, "auto", {"gpus_per_replica": 1.0}, 1),
        (GPU_BOX, "5", {}, 5),
        ([Node(cpus=0, gpus=4)], "auto", {}, 1),
        ([], "auto", {}, 1),
    ],
)
def test_what_can_never_fit_is_told(nodes: list[Node], replicas: str, settings: dict[str, Any], fewest: int) -> None:
    placement = placed(nodes, replicas, **settings)
    assert not placement.fits
    assert placement.fewest == fewest


def test_a_cluster_that_cannot_grow_gets_no_more_than_fit_of_those_that_may_be() -> None:
    placement = placed(LAPTOP, "1:3")
    assert (placement.fewest, placement.most, placement.fits) == (1, 2, True)


def test_whether_a_cluster_can_grow_is_not_asked_where_all_fits() -> None:
    def fail() -> bool:
        raise AssertionError("asked")

    settings: dict[str, Any] = {"cpus_per_replica": None, "gpus_per_replica": None, "device": "auto"}
    assert place(LAPTOP, replicas="1:2", can_grow=fail, **settings).fits


def test_a_cluster_that_can_grow_may_be_asked_for_more_than_it_has() -> None:
    assert placed(LAPTOP, "2:50", can_grow=True).most == 50
    assert placed(LAPTOP, "4", can_grow=True, gpus_per_replica=1).fewest == 4
    assert placed([], can_grow=True).fewest == 1


clusters = st.lists(st.builds(Node, cpus=st.integers(1, 64), gpus=st.integers(0, 8)), min_size=1, max_size=5)
cpu_shares = st.sampled_from([None, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 8.0])


@given(clusters, st.sampled_from(["auto", "1", "2", "3", "7", "1:5"]), cpu_shares, st.sampled_from([None, 0, 0.5, 1]))
def test_some_node_always_keeps_room_to_read_wherever_ray_puts_the_replicas(
    nodes: list[Node], replicas: str, cpus: float | None, gpus: float | None
) -> None:
    placement = placed(nodes, replicas, cpus_per_replica=cpus, gpus_per_replica=gpus)
    assume(placement.fits)
    spare = sum(node.cpus for node in nodes) - placement.most * placement.reserved_cpus
    # However the replicas lie, a node has at least the mean of what is left over.
    assert spare / len(nodes) >= READ_CPUS or any(node.cpus - READ_CPUS >= 0 for node in _unused(nodes, placement))
    assert placement.reserved_cpus != READ_CPUS, "Ray Data would fuse reading into the replicas"
    assert placement.fewest <= placement.most


def _unused(nodes: list[Node], placement: Placement) -> list[Node]:
    """Nodes on which no replica can lie."""
    return [node for node in nodes if node.gpus < placement.gpus or node.cpus < placement.reserved_cpus]


# Teams of training workers


def workers_placed(
    nodes: list[Node], workers: Any = "auto", cpus: float | None = None, gpus: float | None = None
) -> WorkerPlacement:
    return place_workers(nodes, workers=workers, cpus_per_worker=cpus, gpus_per_worker=gpus)


@pytest.mark.parametrize(
    ("nodes", "workers", "expected"),
    [
        (LAPTOP, "auto", WorkerPlacement(workers=1, threads=2, cpus=2, gpus=0, fits=True)),
        (LAPTOP, 2, WorkerPlacement(workers=2, threads=1, cpus=1, gpus=0, fits=True)),
        (LAPTOP, 3, WorkerPlacement(workers=3, threads=1, cpus=1, gpus=0, fits=False)),
        (LAPTOP * 3, "auto", WorkerPlacement(workers=3, threads=2, cpus=2, gpus=0, fits=True)),
        (GPU_BOX, "auto", WorkerPlacement(workers=4, threads=1, cpus=1, gpus=1, fits=True)),
        (GPU_BOX, 2, WorkerPlacement(workers=2, threads=1, cpus=1, gpus=1, fits=True)),
        (GPU_BOX, 5, WorkerPlacement(workers=5, threads=1, cpus=1, gpus=1, fits=False)),
        ([*LAPTOP, *GPU_BOX], "auto", WorkerPlacement(workers=4, threads=1, cpus=1, gpus=1, fits=True)),
        ([], "auto", WorkerPlacement(workers=1, threads=1, cpus=1, gpus=0, fits=False)),
    ],
    ids=str,
)
def test_a_team_has_a_worker_for_each_gpu_or_else_for_each_node(
    nodes: list[Node], workers: Any, expected: WorkerPlacement
) -> None:
    assert workers_placed(nodes, workers) == expected


def test_workers_can_share_gpus_or_leave_them_alone() -> None:
    assert workers_placed(GPU_BOX, gpus=0.5).workers == 8
    on_cpus = workers_placed(GPU_BOX, gpus=0)
    assert (on_cpus.workers, on_cpus.threads, on_cpus.gpus) == (1, 16, 0)


def test_cpus_that_are_asked_for_are_what_each_worker_gets() -> None:
    assert workers_placed(GPU_BOX, cpus=5) == WorkerPlacement(workers=3, threads=5, cpus=5, gpus=1, fits=True)
    assert workers_placed(GPU_BOX, 4, cpus=5).fits is False
    assert workers_placed(LAPTOP, 4, cpus=0.5) == WorkerPlacement(workers=4, threads=1, cpus=0.5, gpus=0, fits=True)


workers_wanted = st.sampled_from(["auto", 1, 2, 3, 7])


@given(clusters, workers_wanted, cpu_shares, st.sampled_from([None, 0, 0.5, 1]))
def test_a_team_that_fits_is_one_that_the_nodes_can_hold_all_at_once(
    nodes: list[Node], workers: Any, cpus: float | None, gpus: float | None
) -> None:
    group = workers_placed(nodes, workers, cpus, gpus)
    free = [[node.cpus, node.gpus] for node in nodes]
    held = 0
    for node in free:
        while node[0] >= group.cpus and node[1] >= group.gpus:
            node[0] -= group.cpus
            node[1] -= group.gpus
            held += 1
    assert group.fits == (held >= group.workers)
    assert group.workers == workers or workers == "auto"
    assert group.threads <= max(1, group.cpus)


@given(clusters, cpu_shares)
def test_what_is_chosen_automatically_fits(nodes: list[Node], cpus: float | None) -> None:
    chosen = workers_placed(nodes, cpus=cpus)
    smallest = min(node.cpus for node in nodes)
    assert chosen.fits or (cpus or 1) > smallest
