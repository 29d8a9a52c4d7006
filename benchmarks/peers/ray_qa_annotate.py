"""``annotate`` in every arithmetic: whole runs, each on a private cluster of its own."""

from __future__ import annotations

import tempfile
from functools import partial
from typing import Any

import pyarrow.parquet as pq

from benchmarks.peers.invocation import (
    MAX_ANSWER_TOKENS,
    MAX_QUESTION_TOKENS,
    MAX_TOKENS,
    STRIDE,
    invocation,
)
from benchmarks.peers.serving import Pass, Rows, serve
from ray_qa import AnnotateConfig, annotate


def main() -> None:
    """Serve the one way."""
    given = invocation()
    way = partial(run, settings={"model": given.model, "backend": given.backend, "dtype": given.dtype})
    packages = ["ray_qa", "ray", "transformers", "torch", "tokenizers", "pyarrow", "numpy"]
    serve({"annotate": way}, packages + ["openvino"] * (given.backend == "openvino"))


def run(rows: Rows, settings: dict[str, Any]) -> Pass:
    """A whole run; its time is the steady one, from the first unit's start to the last part's publication."""
    with tempfile.TemporaryDirectory() as output:
        config = AnnotateConfig(
            input=(str(rows.folder / "rows.parquet"),),
            output=output,
            always_answer=True,
            max_tokens=MAX_TOKENS,
            stride=STRIDE,
            max_question_tokens=MAX_QUESTION_TOKENS,
            max_answer_tokens=MAX_ANSWER_TOKENS,
            **settings,
        )
        summary = annotate(config)
        answers = [answer or "" for answer in pq.read_table(output)["answer"].to_pylist()]
    return Pass(seconds=summary.run_seconds, answers=answers, start_seconds=summary.start_seconds)


if __name__ == "__main__":
    main()
