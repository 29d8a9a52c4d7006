"""One training worker without Ray: python -m tests.model.finetuning.process_group_member JOB MEETING WORKERS RANK."""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import torch.distributed as dist

from ray_qa.finetuning.loop import train


def main(job: str, meeting: str, workers: str, rank: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{meeting}", world_size=int(workers), rank=int(rank))
    train(pickle.loads(Path(job).read_bytes()))
    dist.destroy_process_group()


if __name__ == "__main__":
    main(*sys.argv[1:])
