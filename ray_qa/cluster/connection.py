"""Reaching Ray: the cluster that is named, or a private one on this machine; never one that merely runs here."""

from __future__ import annotations

import gc
import importlib
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import ray

from ray_qa.cluster.interruptions import uninterrupted
from ray_qa.cluster.knock import knock
from ray_qa.cluster.placement import Node
from ray_qa.errors import ClusterError, first_line


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
        ClusterError: if the cluster cannot be reached, or lets us not in.
    """
    if ray.is_initialized():
        # A process that started its cluster itself is the head; such a cluster is this machine and no more.
        ours = ray._private.worker._global_node  # told nowhere else
        yield Cluster(private=bool(ours and ours.head), nodes=_nodes())
        return
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Ray's C++ core writes its own warnings to the terminal, past every Python log level.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    if address != "local":
        knock(address)
    with _silent_raylets():
        try:
            _start(address)
            yield Cluster(private=address == "local", nodes=_nodes())
        finally:
            ray.shutdown()


def _start(address: str) -> None:
    try:
        # Ray's processes take seconds to come up, and Ray Data one to import.
        importing = threading.Thread(target=importlib.import_module, args=("ray.data",), daemon=True)
        importing.start()
        with uninterrupted(), _silent_standard_error():
            ray.init(
                address=address,
                include_dashboard=False if address == "local" else None,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
        importing.join()
    except Exception as error:  # ray raises ConnectionError, RuntimeError, ValueError and its own, by what is wrong
        if address == "local":
            raise ClusterError(
                f"Ray must start on this machine, but gives: {first_line(error)}; try again when it is less busy"
            ) from error
        raise ClusterError(
            f"`ray_address` must be a Ray cluster that can be reached, but {address} gives: {first_line(error)}"
        ) from error


@contextmanager
def _silent_raylets() -> Iterator[None]:
    """Keep what raylets report of workers from standard output; what matters of it comes as an exception too."""
    ray._private.worker._worker_logs_enabled = False  # Ray has no setting for it; its debugger does the same
    try:
        yield
    finally:
        ray._private.worker._worker_logs_enabled = True


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
    from ray.data import DataContext

    context = DataContext.get_current()
    wanted = {
        "enable_progress_bars": False,
        "print_on_execution_start": False,
        "raise_original_map_exception": True,
        **data_settings,
    }
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


def _nodes() -> tuple[Node, ...]:
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]  # Ray leaves it untyped
    alive = [node["Resources"] for node in nodes if node["Alive"]]
    return tuple(
        Node(cpus=resources.get("CPU", 0.0), gpus=resources.get("GPU", 0.0))
        for resources in alive
        if "CPU" in resources
    )
