"""What ``auto`` stands for on the machines at hand, settled once for all workers of a run."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any, Literal

import ray
from ray.exceptions import GetTimeoutError, RayError

from ray_qa.cluster.worker_errors import error_from_worker, said_by
from ray_qa.errors import ClusterError, ModelError
from ray_qa.reader.arithmetic import Arithmetic
from ray_qa.reader.batching import automatic_batch_tokens
from ray_qa.reader.engine import CpuEngine, engine_on_cpu
from ray_qa.reader.model_files import ModelFiles, model_here
from ray_qa.reader.openvino_conversion import converted_model, is_converted
from ray_qa.settings import AUTO
from ray_qa.storage.credentials import Access, use_access


def settle_arithmetic(
    *,
    kind: str,
    backend: str,
    device: str,
    dtype: str,
    batch_tokens: int | Literal["auto"],
    work: Literal["reading", "training"],
    gpus: float,
    threads: int,
    patience: float,
    private: bool,
    cpus: float = 0.0,
) -> Arithmetic:
    """Decide for all workers at once, so that no two compute otherwise.

    Placing them has decided on the device: with a GPU booked it is CUDA, without one it is not. What is ``auto`` is
    asked of a node that workers may run on.

    Args:
        kind: the model's (``model_type`` of its configuration).
        backend: ``auto``, ``torch`` or ``openvino``.
        device: ``auto``, ``cpu``, ``cuda`` or ``mps``.
        dtype: ``auto`` or a name of torch's.
        batch_tokens: ``auto`` or most tokens of a pass.
        work: what the workers do.
        gpus: GPUs that are booked for each worker.
        threads: torch threads of each worker.
        patience: seconds to wait for a node to ask.
        private: whether the cluster is this machine alone, which need not be asked by way of Ray.
        cpus: CPUs that are booked for each worker, so that a node is asked that they may run on.

    Raises:
        ClusterError: if there is no node to ask in time.
        ModelError: if torch finds no CUDA where a GPU is booked.
    """
    where = "cuda" if gpus else "cpu" if device == AUTO else device
    engine = CpuEngine(backend="torch", dtype=dtype, why="")
    if where == "cpu" and work == "reading":
        engine = _engine_on_cpu(kind, backend, dtype, cpus, patience, private)
    elif dtype == AUTO:
        engine = replace(engine, dtype=_dtype_of_gpus(gpus, work, patience) if gpus else "float32")
    if batch_tokens == AUTO:
        batch_tokens = automatic_batch_tokens(work, where, threads)
    return Arithmetic(
        device=where, backend=engine.backend, dtype=engine.dtype, batch_tokens=batch_tokens, why=engine.why
    )


def why_not_openvino(model: ModelFiles, access: Access, *, cpus: float, patience: float) -> str | None:
    """Have a worker convert a model, where that was not done on this machine; gives what speaks against it.

    Raises:
        ClusterError: if there is no node for it in time, or the worker dies.
    """
    if is_converted(model):
        return None
    ask = ray.remote(_refusal_to_convert).options(num_cpus=cpus)
    too_late = ClusterError(
        f"`backend` must be settled within {patience:g} s, but no node had {cpus:g} CPUs free to convert the model; "
        "name it, or add nodes"
    )
    refusal: str | None = _answer(ask.remote(model, access), "backend", patience, too_late)
    return refusal


def _refusal_to_convert(model: ModelFiles, access: Access) -> str | None:
    use_access(access)
    try:
        converted_model(model_here(model))
    except ModelError as error:
        return str(error)
    return None


def _engine_on_cpu(kind: str, backend: str, dtype: str, cpus: float, patience: float, private: bool) -> CpuEngine:
    if private or AUTO not in (backend, dtype):
        return engine_on_cpu(kind, backend, dtype)
    ask = ray.remote(engine_on_cpu).options(num_cpus=cpus)
    too_late = ClusterError(
        f"`backend` must be settled within {patience:g} s, but no node was there to be asked; name it and `dtype`"
    )
    engine: CpuEngine = _answer(ask.remote(kind, backend, dtype), "backend", patience, too_late)
    return engine


def _dtype_of_gpus(gpus: float, work: str, patience: float) -> str:
    setting = "gpus_per_replica" if work == "reading" else "gpus_per_worker"
    # Booked as a worker would, so that it is asked where workers will run.
    ask = ray.remote(_dtype_here).options(num_cpus=0, num_gpus=gpus)
    too_late = ClusterError(
        f"`{setting}` must be had within {patience:g} s, but no node had {gpus:g} GPUs free; add nodes, or ask for 0"
    )
    dtype: str = _answer(ask.remote(setting, gpus), setting, patience, too_late)
    return dtype


def _answer(asked: Any, setting: str, patience: float, too_late: ClusterError) -> Any:
    """What a node says, or the error that it or its silence is."""
    try:
        return ray.get(asked, timeout=patience)
    except GetTimeoutError:
        raise too_late from None
    except RayError as error:
        raise error_from_worker(error) or ClusterError(
            f"`{setting}` must be of nodes that can be asked for their arithmetic, but one gives: {said_by(error)}"
        ) from error


def _dtype_here(setting: str, gpus: float) -> str:
    import torch

    from ray_qa.reader.span_model import pick_dtype

    if not torch.cuda.is_available():
        raise ModelError(
            f"`{setting}` must be 0 where torch finds no CUDA, as on {os.uname().nodename}, but is {gpus:g}; "
            "install torch for CUDA there, or give 0"
        )
    return str(pick_dtype(AUTO, torch.device("cuda"))).removeprefix("torch.")
