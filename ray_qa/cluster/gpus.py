"""What the cluster's GPUs can compute, asked on a node that has one."""

from __future__ import annotations

import ray

from ray_qa.cluster.connection import error_from_worker


def dtype_of_gpus(gpus: float) -> str:
    """The 16-bit arithmetic that a card computes natively: bfloat16, or float16 where it has no bfloat16.

    Args:
        gpus: what to book for the question; the same as a worker would, so that it is asked where workers will run.

    Raises:
        ModelError: if the node's torch finds no CUDA.
    """
    ask = ray.remote(_dtype_here).options(num_cpus=0, num_gpus=gpus)
    try:
        dtype: str = ray.get(ask.remote())
    except ray.exceptions.RayTaskError as error:
        raise error_from_worker(error) or error from None
    return dtype


def _dtype_here() -> str:
    from ray_qa.reader.span_model import pick_device, pick_dtype

    return str(pick_dtype("auto", pick_device("cuda"))).removeprefix("torch.")
