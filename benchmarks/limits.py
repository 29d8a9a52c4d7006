"""How far each engine is from what the CPU can do: ``python -m benchmarks.limits``, some minutes.

One thread, as a replica has it. The limit is a product of two big square matrices in torch, in the arithmetic at hand;
where torch has no fast one, in float32. An engine's work is counted by the formula of its architecture: a token costs
each layer 2 · (4 · H² + 2 · H · I) operations in the products with weights and 4 · T · H in attention, for H values of
a hidden state, I of the middle layer and T tokens of the padded window (Kaplan et al. 2020, appendix B, forward pass).
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict, dataclass

import pyarrow.parquet as pq
import torch

from benchmarks.comparison.machine import Machine, this_machine
from benchmarks.throughput import RESULTS, SQUAD
from ray_qa import Reader, Row
from ray_qa.reader.batching import batch_by_length, padded_tokens
from ray_qa.reader.model_files import ModelFiles, find_model
from ray_qa.reader.stopwatch import Stopwatch, counting_on

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
SIDE = 2048


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """An engine in an arithmetic; GFLOP are 10⁹ operations."""

    engine: str
    rows_per_second: float
    forward_share: float
    """Of the time from text to answer."""
    gflop_per_second: float
    """In the forward pass."""
    product_gflop_per_second: float
    """Of a product of big matrices in torch: the limit, but for int8, which is held against float32's."""

    @property
    def of_limit(self) -> float:
        """Share of the limit that the forward pass reaches."""
        return self.gflop_per_second / self.product_gflop_per_second


def main() -> None:
    """Measure, print a table and write ``results/limits.json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=str(SQUAD.parents[1] / "models" / "minilm-squad"))
    parser.add_argument("--rows", type=int, default=200)
    options = parser.parse_args()
    torch.set_num_threads(1)
    machine, files = this_machine(), find_model(options.model)
    table = pq.read_table(SQUAD, columns=["question", "context"])
    rows: list[dict[str, str]] = table.slice(0, options.rows).to_pylist()
    calibration: list[dict[str, str]] = table.slice(options.rows, 300).to_pylist()
    engines = [("torch", "float32"), ("openvino", "float32"), ("openvino", "int8")]
    if machine.has_bfloat16:
        engines += [("torch", "bfloat16"), ("openvino", "bfloat16")]
    measured = [measure(files, backend, dtype, rows, calibration) for backend, dtype in engines]
    print(describe(measured, machine, len(rows)))
    record = {"machine": asdict(machine), "rows": len(rows), "engines": [asdict(each) for each in measured]}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "limits.json").write_text(json.dumps(record, indent=1) + "\n")


def measure(
    files: ModelFiles, backend: str, dtype: str, rows: list[dict[str, str]], calibration: list[dict[str, str]]
) -> Measured:
    """One engine over all rows, and the product of matrices just before and after it."""
    reader = Reader.load(
        files,
        backend=backend,
        device="cpu",
        dtype=dtype,
        threads=1,
        calibration=calibration if dtype == "int8" else None,
    )
    reader.read(rows[:20])
    stopwatch = Stopwatch()
    before = product_rate(DTYPES.get(dtype, torch.float32))
    began = time.perf_counter()
    with counting_on(stopwatch):
        reader.read(rows)
    seconds, steps = time.perf_counter() - began, stopwatch.take()
    after = product_rate(DTYPES.get(dtype, torch.float32))
    return Measured(
        engine=f"{backend} {dtype}",
        rows_per_second=len(rows) / seconds,
        forward_share=steps["forward"] / seconds,
        gflop_per_second=operations(files, reader, rows) / steps["forward"] / 1e9,
        product_gflop_per_second=max(before, after),
    )


def operations(files: ModelFiles, reader: Reader, rows: list[dict[str, str]]) -> float:
    """Operations of the forward passes over all rows, padding included."""
    config = json.loads((files.folder / "config.json").read_text())
    hidden, middle, layers = config["hidden_size"], config["intermediate_size"], config["num_hidden_layers"]
    encoded = reader.tokenizer.encode([Row(**row) for row in rows], reader.settings.max_question_tokens)
    windows = encoded.windows(reader.settings, reader.tokenizer.template.special_tokens)
    total = 0.0
    for batch in batch_by_length(windows.tokens, reader.budget.tokens, reader.backend.token_multiple):
        tokens = padded_tokens(int(windows.tokens[batch].max()), reader.backend.token_multiple)
        a_token = layers * (2 * (4 * hidden**2 + 2 * hidden * middle) + 4 * tokens * hidden)
        total += len(batch) * tokens * a_token
    return total


def product_rate(dtype: torch.dtype) -> float:
    """GFLOP/s of a product of two square matrices of ``SIDE``; the best of some."""
    left, right = torch.randn(SIDE, SIDE, dtype=dtype), torch.randn(SIDE, SIDE, dtype=dtype)
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        torch.mm(left, right)
        seconds.append(time.perf_counter() - began)
    return 2 * SIDE**3 / min(seconds) / 1e9


def describe(measured: list[Measured], machine: Machine, rows: int) -> str:
    """The table that is printed."""
    return "\n".join(
        [
            f"{rows:,} rows, one thread; {machine.processor}, {' '.join(machine.flags)}",
            f"{'':<20}{'rows/s':>8}{'in forward':>12}{'GFLOP/s':>9}{'limit':>8}{'of limit':>10}",
            *(
                f"{each.engine:<20}{each.rows_per_second:>8.1f}{each.forward_share:>12.1%}"
                f"{each.gflop_per_second:>9.1f}{each.product_gflop_per_second:>8.1f}{each.of_limit:>10.1%}"
                for each in measured
            ),
        ]
    )


if __name__ == "__main__":
    main()
