"""How much of the bare forward pass is left to ``Reader.read`` and to ``annotate``: ``make bench``.

In one run, on the same 2,000 real rows: (a) ``annotate``'s own ``rows_per_second``, (b) ``Reader.read`` in one process,
(c) the bare forward pass over the batches that (b) computes, already assembled. Each is timed ``--repeats`` times in
turn and the median is taken, as machines drift. Start-up is reported apart.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import ray
import torch
import transformers

from benchmarks.peers.ray_qa_engine import forward_pass
from ray_qa import AnnotateConfig, Reader, ReadingSettings, Row, RunSummary, annotate
from ray_qa.reader.batching import batch_by_length, padding_share
from ray_qa.reader.collate import collate

SQUAD = Path(__file__).parents[2] / "shared" / "data" / "squad_v1_dev_a.parquet"
RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """Medians, in rows per second, and what they were measured on."""

    rows: int
    windows: int
    repeats: int
    forward: float
    reader: float
    annotate: float
    annotate_start_seconds: float
    padding_share: float
    machine: str
    versions: dict[str, str]

    @property
    def reader_to_forward(self) -> float:
        """What encoding, assembling and decoding leave of the forward pass."""
        return self.reader / self.forward

    @property
    def annotate_to_reader(self) -> float:
        """What reading, Ray and publishing leave of the reader."""
        return self.annotate / self.reader


def main() -> None:
    """Measure, print a table, write ``benchmarks/results/throughput.json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=SQUAD, help="Parquet file with question and context columns")
    parser.add_argument("--rows", type=int, default=2_000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    if not options.data.is_file():
        sys.exit(f"--data must be a Parquet file, but {options.data} is none; name one of yours")
    table = pq.read_table(options.data).slice(0, options.rows)
    measured = measure(table, options.repeats)
    RESULTS.mkdir(exist_ok=True)
    ratios = {name: getattr(measured, name) for name in ("reader_to_forward", "annotate_to_reader")}
    (RESULTS / "throughput.json").write_text(json.dumps(asdict(measured) | ratios, indent=1) + "\n")
    print(describe(measured))


def measure(table: pa.Table, repeats: int) -> Throughput:
    """Time the three ways over the same rows, in turn."""
    reader = Reader.load(settings=ReadingSettings(always_answer=True))
    rows = [
        Row(question=question, context=context)
        for question, context in zip(table["question"].to_pylist(), table["context"].to_pylist(), strict=True)
    ]
    encoded = reader.tokenizer.encode(rows, reader.settings.max_question_tokens)
    windows = encoded.windows(reader.settings, reader.tokenizer.template.special_tokens)
    grouped = batch_by_length(windows.tokens, reader.budget.tokens, reader.backend.token_multiple)
    passes = [
        forward_pass(reader.backend, collate(encoded, windows, window_W, reader.tokenizer.template))
        for window_W in grouped
    ]
    reader.read(rows[:50])

    forwards, readers, runs = [], [], []
    for _ in range(repeats):
        forwards.append(len(rows) / timed(lambda: [each() for each in passes]))
        readers.append(len(rows) / timed(lambda: reader.read(rows)))
        runs.append(run_annotate(table))
    return Throughput(
        rows=len(rows),
        windows=len(windows),
        repeats=repeats,
        forward=statistics.median(forwards),
        reader=statistics.median(readers),
        annotate=statistics.median(run.rows_per_second for run in runs),
        annotate_start_seconds=statistics.median(run.start_seconds for run in runs),
        padding_share=padding_share(windows.tokens, grouped, reader.backend.token_multiple),
        machine=f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}; {type(reader.backend).__name__}",
        versions={"ray": ray.__version__, "torch": torch.__version__, "transformers": transformers.__version__},
    )


def run_annotate(table: pa.Table) -> RunSummary:
    """A whole run of annotate on a private cluster of its own."""
    with tempfile.TemporaryDirectory() as folder:
        pq.write_table(table, f"{folder}/input.parquet")
        return annotate(
            AnnotateConfig(input=(f"{folder}/input.parquet",), output=f"{folder}/output", always_answer=True)
        )


def timed(action: object) -> float:
    """Seconds that a call takes."""
    assert callable(action)
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def describe(measured: Throughput) -> str:
    """The table that is printed."""
    return "\n".join(
        [
            f"{measured.rows:,} rows, {measured.windows:,} windows, median of {measured.repeats}; {measured.machine}",
            f"{'':<30}{'rows/s':>10}{'ratio':>24}",
            f"{'(c) bare forward pass':<30}{measured.forward:>10.1f}",
            f"{'(b) Reader.read':<30}{measured.reader:>10.1f}{measured.reader_to_forward:>18.3f} of (c)",
            f"{'(a) annotate':<30}{measured.annotate:>10.1f}{measured.annotate_to_reader:>18.3f} of (b)",
            f"start-up of annotate: {measured.annotate_start_seconds:.1f} s; "
            f"padding in (b) and (c): {measured.padding_share:.1%}",
        ]
    )


if __name__ == "__main__":
    main()
