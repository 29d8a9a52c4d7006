"""The workers of a data-parallel run, as one of them sees it; a run in one process is a group of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessGroup:
    """This worker's number, from 0, and how many there are."""

    rank: int = 0
    workers: int = 1

    @classmethod
    def current(cls) -> ProcessGroup:
        """torch's, where there is one; else a group of one process."""
        return cls(rank=dist.get_rank(), workers=dist.get_world_size()) if dist.is_initialized() else cls()

    @property
    def is_main(self) -> bool:
        """Whether this is the worker that writes what all agree on."""
        return self.rank == 0

    def all_reduce(self, tensor: torch.Tensor) -> None:
        """Replace a tensor by its sum over all workers."""
        if self.workers > 1:
            dist.all_reduce(tensor)

    def broadcast(self, tensor: torch.Tensor) -> None:
        """Replace a tensor by that of worker 0."""
        if self.workers > 1:
            dist.broadcast(tensor, src=0)

    def barrier(self) -> None:
        """Go on when all workers have come here."""
        if self.workers > 1:
            dist.barrier()

    def broadcast_object(self, value: Value) -> Value:
        """The value that worker 0 has; for small things."""
        if self.workers == 1:
            return value
        values = [value]
        dist.broadcast_object_list(values, src=0)
        return values[0]

    def all_gather(self, value: Value) -> list[Value]:
        """The values of all workers, by rank."""
        if self.workers == 1:
            return [value]
        values: list[Value | None] = [None] * self.workers
        dist.all_gather_object(values, value)
        return [each for each in values if each is not None]
