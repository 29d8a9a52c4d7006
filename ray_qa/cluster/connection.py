"""Reaching Ray: the cluster that is named, or a private one on this machine; never one that merely runs here."""

from __future__ import annotations

import errno
import gc
import logging
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import ray
from ray.data import DataContext
from ray.util.placement_group import placement_group, remove_placement_group

from ray_qa import errors
from ray_qa.cluster.placement import Node
from ray_qa.errors import ClusterError, RayQaError, first_line, full_disk

_ERROR_IN_TRACEBACK = re.compile(r"^ray_qa\.errors\.(\w+): (.+)$", re.MULTILINE)
_FULL_DISK_IN_TRACEBACK = re.compile(rf"^OSError: (\[Errno (?:{errno.ENOSPC}|{errno.EDQUOT})\] .+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A cluster we are connected to. A private one has this machine only and cannot grow."""

    private: bool
    nodes: tuple[Node, ...]


@contextmanager
def connected(address: str | None) -> Iterator[Cluster]:
    """Connect for the time of a run: to ``address``, else ``RAY_ADDRESS``, else a new private cluster.

    A process that is connected to Ray already stays so, during and after.

    Raises:
        ClusterError: if the cluster cannot be reached.
    """
    if ray.is_initialized():
        yield Cluster(private=False, nodes=_nodes())
        return
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Ray's C++ core writes its own warnings to the terminal, past every Python log level.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        _knock(address)
        with _silent_standard_error():
            ray.init(
                address=address,
                include_dashboard=False if address == "local" else None,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
    except Exception as error:  # ray raises ConnectionError, RuntimeError, ValueError and its own, by what is wrong
        raise ClusterError(
            f"`ray_address` must be a Ray cluster that can be reached, but {address} gives: {first_line(error)}"
        ) from error
    try:
        yield Cluster(private=address == "local", nodes=_nodes())
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Raise an OSError where nothing answers at ``host:port``; Ray itself would try in silence for many minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()


@contextmanager
def _silent_standard_error() -> Iterator[None]:
    """Close standard error for as long as Ray starts: its C++ core greets there, and its errors come as exceptions."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


@contextmanager
def quiet_ray(**data_settings: Any) -> Iterator[None]:
    """Set Ray Data up as ``data_settings`` say, and let no part of Ray chatter; put everything back afterwards."""
    context = DataContext.get_current()
    wanted = {"enable_progress_bars": False, "print_on_execution_start": False, **data_settings}
    before = {name: getattr(context, name) for name in wanted}
    loggers = [logging.getLogger(name) for name in ("ray.data", "ray.train")]
    levels = [logger.level for logger in loggers]
    for name, value in wanted.items():
        setattr(context, name, value)
    # What goes wrong comes as an exception too, and we say it in one line.
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        for name, value in before.items():
            setattr(context, name, value)
        # Ray Data ends its actors by letting go of them, which circles of its own put off for as long as they like.
        gc.collect()


def has_room(bundles: list[dict[str, float]], seconds: float) -> bool:
    """Whether all bundles of resources can be had at once; waits for them, and lets go of them again."""
    group = placement_group(bundles, strategy="PACK")
    try:
        return bool(group.wait(seconds))
    finally:
        remove_placement_group(group)


def error_from_worker(error: Exception) -> RayQaError | None:
    """The error of ours that was raised on a worker and that a Ray error tells of, if it does.

    Ray hands on the text of a worker's traceback, not the exception; one of ours ends in a line that says all. So does
    what the system says of a full disk.
    """
    told = _ERROR_IN_TRACEBACK.search(str(error))
    if told and (kind := getattr(errors, told[1], None)):
        ours: RayQaError = kind(told[2])
        return ours
    full = _FULL_DISK_IN_TRACEBACK.search(str(error))
    return full_disk(full[1]) if full else None


def _nodes() -> tuple[Node, ...]:
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]  # Ray leaves it untyped
    alive = [node["Resources"] for node in nodes if node["Alive"]]
    return tuple(
        Node(cpus=resources.get("CPU", 0.0), gpus=resources.get("GPU", 0.0))
        for resources in alive
        if "CPU" in resources
    )
