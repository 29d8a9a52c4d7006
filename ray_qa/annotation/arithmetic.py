"""What ``auto`` stands for on the machines at hand: device, arithmetic and batches, as the plan pins them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ray_qa.annotation.config import AnnotateConfig
from ray_qa.annotation.stages import Arithmetic
from ray_qa.cluster.gpus import dtype_of_gpus
from ray_qa.cluster.placement import Placement
from ray_qa.reader.batching import automatic_batch_tokens
from ray_qa.settings import AUTO


def settle_arithmetic(
    config: AnnotateConfig, placement: Placement, earlier: Mapping[str, Any] | None = None
) -> Arithmetic:
    """Decide for all replicas at once, so that no two compute otherwise.

    The placement has decided on the device: with a GPU booked it is CUDA, without one it is not. Batches are any
    machine's to choose, so a run that goes on keeps those of its plan.

    Args:
        config: what is asked for.
        placement: where the replicas will be.
        earlier: the settings of the plan that is gone on with.

    Raises:
        ModelError: if a GPU is booked, and CUDA does not work where it is.
    """
    device = "cuda" if placement.gpus else "cpu" if config.device == AUTO else config.device
    if config.dtype != AUTO:
        dtype: str = config.dtype
    else:
        dtype = dtype_of_gpus(placement.gpus) if placement.gpus else "float32"
    if config.batch_tokens != AUTO:
        batch_tokens: int = config.batch_tokens
    elif earlier is not None:
        batch_tokens = earlier["batch_tokens"]
    else:
        batch_tokens = automatic_batch_tokens("reading", device, placement.threads)
    return Arithmetic(device=device, dtype=dtype, batch_tokens=batch_tokens)
