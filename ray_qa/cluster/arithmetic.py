"""What ``auto`` stands for on the machines at hand, settled once for all workers of a run."""

from __future__ import annotations

import os
from typing import Literal

import ray
from ray.exceptions import GetTimeoutError, RayError

from ray_qa.cluster.worker_errors import error_from_worker
from ray_qa.errors import ClusterError, ModelError, first_line
from ray_qa.reader.arithmetic import Arithmetic
from ray_qa.reader.batching import automatic_batch_tokens
from ray_qa.settings import AUTO


def settle_arithmetic(
    *,
    device: str,
    dtype: str,
    batch_tokens: int | Literal["auto"],
    work: Literal["reading", "training"],
    gpus: float,
    threads: int,
    patience: float,
) -> Arithmetic:
    """Decide for all workers at once, so that no two compute otherwise.

    Placing them has decided on the device: with a GPU booked it is CUDA, without one it is not. ``dtype: auto`` is
    float32 on a CPU; for GPUs a node that has one is asked what its card computes natively.

    Args:
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        dtype: ``auto`` or a name of torch's.
        batch_tokens: ``auto`` or most tokens of a pass.
        work: what the workers do.
        gpus: GPUs that are booked for each worker.
        threads: torch threads of each worker.
        patience: seconds to wait for a GPU to ask.

    Raises:
        ClusterError: if there is no GPU to ask in time.
        ModelError: if torch finds no CUDA where a GPU is booked.
    """
    where = "cuda" if gpus else "cpu" if device == AUTO else device
    if dtype == AUTO:
        dtype = _dtype_of_gpus(gpus, work, patience) if gpus else "float32"
    if batch_tokens == AUTO:
        batch_tokens = automatic_batch_tokens(work, where, threads)
    return Arithmetic(device=where, dtype=dtype, batch_tokens=batch_tokens)


def _dtype_of_gpus(gpus: float, work: str, patience: float) -> str:
    setting = "gpus_per_replica" if work == "reading" else "gpus_per_worker"
    # Booked as a worker would, so that it is asked where workers will run.
    ask = ray.remote(_dtype_here).options(num_cpus=0, num_gpus=gpus)
    try:
        dtype: str = ray.get(ask.remote(setting, gpus), timeout=patience)
    except GetTimeoutError:
        raise ClusterError(
            f"`{setting}` must be had within {patience:g} s, but no node had {gpus:g} GPUs free; "
            "add nodes, or ask for 0"
        ) from None
    except RayError as error:
        raise error_from_worker(error) or ClusterError(
            f"`{setting}` must be of nodes that can be asked for their arithmetic, but one gives: {first_line(error)}"
        ) from error
    return dtype


def _dtype_here(setting: str, gpus: float) -> str:
    import torch

    from ray_qa.reader.span_model import pick_dtype

    if not torch.cuda.is_available():
        raise ModelError(
            f"`{setting}` must be 0 where torch finds no CUDA, as on {os.uname().nodename}, but is {gpus:g}; "
            "install torch for CUDA there, or give 0"
        )
    return str(pick_dtype(AUTO, torch.device("cuda"))).removeprefix("torch.")
