"""How many replicas to start, and what each reserves: arithmetic on what the nodes have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

READ_CPUS = 0.5
"""CPUs of a task that reads and encodes. Every node keeps this much free: replicas on all CPUs would starve reading."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What one node of the cluster has."""

    cpus: float
    gpus: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """A pool of ``fewest`` to ``most`` replicas and what each gets.

    ``threads`` are torch's own; ``reserved_cpus`` is what Ray books of ``cpus``, somewhat less where a node would else
    be full. ``fits`` says whether there is room for the fewest, or may yet be.
    """

    fewest: int
    most: int
    threads: int
    cpus: float
    reserved_cpus: float
    gpus: float
    fits: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerPlacement:
    """How many training workers, and what each gets; ``fits`` says whether the nodes could hold them all at once."""

    workers: int
    threads: int
    cpus: float
    gpus: float
    fits: bool


def place(
    nodes: Sequence[Node],
    *,
    replicas: str,
    cpus_per_replica: float | None,
    gpus_per_replica: float | None,
    device: str,
    can_grow: Callable[[], bool],
) -> Placement:
    """Size the pool.

    Args:
        nodes: the nodes as they are now.
        replicas: ``auto`` (as many as fit), ``N`` or ``MIN:MAX``.
        cpus_per_replica: CPUs of each; ``None``: 1, or an even share of a CPU-only cluster if ``replicas`` is given.
        gpus_per_replica: GPUs of each; ``None``: 1 where there are any and the device may be CUDA, else 0.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        can_grow: tells whether the cluster may get more nodes; asked where not all fit that are wanted.
    """
    gpus = gpus_per_replica if gpus_per_replica is not None else _automatic_gpus(nodes, device)
    wanted = None if replicas == "auto" else [int(bound) for bound in replicas.split(":")]
    cpus = cpus_per_replica or _even_share(nodes, wanted, gpus)
    fitting = [_fitting(node, cpus, gpus) for node in nodes]
    room = sum(fitting)
    fewest, most = (wanted[0], wanted[-1]) if wanted else (max(1, room), max(1, room))
    bounded = most > room and not can_grow()
    if bounded:
        most = max(fewest, room)  # Ray Data would count those that never come as work to wait for
    shares = [(node.cpus - READ_CPUS) / count for node, count in zip(nodes, fitting, strict=True) if count]
    reserved = round(min([cpus, *shares]) - 0.005, 2)
    return Placement(
        fewest=fewest,
        most=most,
        threads=max(1, int(cpus)),
        cpus=cpus,
        # Ray Data would fuse the replicas with the reading tasks if both asked for the same.
        reserved_cpus=max(0.01, reserved - 0.01 if reserved == READ_CPUS else reserved),
        gpus=gpus,
        fits=not bounded or fewest <= room,
    )


def place_workers(
    nodes: Sequence[Node],
    *,
    workers: int | Literal["auto"],
    cpus_per_worker: float | None,
    gpus_per_worker: float | None,
) -> WorkerPlacement:
    """Size a group of training workers, which all run at once.

    Args:
        nodes: the nodes as they are now.
        workers: how many; ``auto``: as many as the GPUs make room for, without GPUs one a node.
        cpus_per_worker: CPUs of each; ``None``: 1, or an even share of a cluster without GPUs.
        gpus_per_worker: GPUs of each; ``None``: 1 where there are any, else 0.
    """
    gpus = gpus_per_worker if gpus_per_worker is not None else float(any(node.gpus for node in nodes))
    if workers == "auto":
        count = sum(_fitting(node, cpus_per_worker or 1.0, gpus) for node in nodes) if gpus else len(nodes)
    else:
        count = workers
    count = max(1, count)
    cpus = cpus_per_worker or _even_share(nodes, [count], gpus)
    return WorkerPlacement(
        workers=count,
        threads=max(1, int(cpus)),
        cpus=cpus,
        gpus=gpus,
        fits=sum(_fitting(node, cpus, gpus) for node in nodes) >= count,
    )


def all_resources(nodes: Sequence[Node]) -> str:
    """What all nodes have together, in words."""
    return f"{sum(node.cpus for node in nodes):g} CPUs and {sum(node.gpus for node in nodes):g} GPUs"


def _automatic_gpus(nodes: Sequence[Node], device: str) -> float:
    return float(device == "cuda" or (device == "auto" and any(node.gpus for node in nodes)))


def _even_share(nodes: Sequence[Node], wanted: list[int] | None, gpus: float) -> float:
    if wanted is None or gpus or not nodes:
        return 1.0
    shares = range(int(max(node.cpus for node in nodes)), 1, -1)
    return float(next((cpus for cpus in shares if sum(node.cpus // cpus for node in nodes) >= wanted[-1]), 1))


def _fitting(node: Node, cpus: float, gpus: float) -> int:
    by_cpus = int(node.cpus // cpus)
    return min(by_cpus, int(node.gpus / gpus)) if gpus else by_cpus
