"""The plain Ray Data script: Parquet in, ``map_batches`` over a pool of actors that hold a pipeline, Parquet out.

As annotate's its time is the steady one: from the first batch's start to the writing of the last file.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import ray

from benchmarks.peers.invocation import invocation
from benchmarks.peers.serving import CORES, Pass, Rows, serve

MOST_IN_A_BATCH = 16
BLOCKS_AN_ACTOR = 4
ACTOR_CPUS = max(0.5, (CORES - 1) / CORES)
"""All actors together leave one CPU: without it nothing is read or written, and the script hangs."""


class PipelineActor:
    """Holds the pipeline and answers batches."""

    def __init__(self, model: str) -> None:
        from benchmarks.peers.transformers_pipeline import load_pipeline

        self.answerer = load_pipeline(model)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Add the answers, and when it was begun."""
        from benchmarks.peers.transformers_pipeline import ask

        started = time.time()
        batch["answer"] = ask(self.answerer, list(batch["question"]), list(batch["context"]), batch_size=1)
        batch["started"] = [started] * len(batch["answer"])
        return batch


def main() -> None:
    """Serve the one way."""
    given = invocation()

    def way(rows: Rows) -> Pass:
        with tempfile.TemporaryDirectory() as output, private_cluster():
            return run(str(rows.folder / "rows.parquet"), given.model, Path(output))

    serve({"map_batches": way}, ["ray", "transformers", "torch", "tokenizers"])


@contextmanager
def private_cluster() -> Iterator[None]:
    """Ray on this machine for one pass: an idle one would take its share of the others' time."""
    ray.init(num_cpus=CORES, include_dashboard=False, log_to_driver=False)
    ray.data.DataContext.get_current().enable_progress_bars = False
    try:
        yield
    finally:
        ray.shutdown()


def run(parquet: str, model: str, output: Path) -> Pass:
    """The script."""
    called = time.time()
    asked = pq.read_table(parquet, columns=["question", "context"]).to_pylist()
    blocks = BLOCKS_AN_ACTOR * CORES
    ray.data.read_parquet(parquet, override_num_blocks=blocks).map_batches(
        PipelineActor,
        fn_constructor_args=(model,),
        compute=ray.data.ActorPoolStrategy(size=CORES),
        batch_size=max(1, min(MOST_IN_A_BATCH, len(asked) // blocks)),  # every actor is to get some
        num_cpus=ACTOR_CPUS,
    ).write_parquet(str(output))
    written = pq.read_table(output).to_pylist()
    first = min(row["started"] for row in written)
    last = max(path.stat().st_mtime for path in output.rglob("*.parquet"))
    answers = {(row["question"], row["context"]): row["answer"] for row in written}
    return Pass(
        seconds=last - first,
        answers=[answers[row["question"], row["context"]] for row in asked],
        start_seconds=first - called,
    )


if __name__ == "__main__":
    main()
