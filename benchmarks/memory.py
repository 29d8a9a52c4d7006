"""Whether a process grows with the batches it has scored: ``python -m benchmarks.memory``, 15 minutes an engine.

Each engine has a process of its own, which scores small units of real rows drawn at random: ``Reader.score``, in
batches as large as a replica of one thread computes. Few batches are alike. Resident memory is what the kernel says,
after the warm-up that replicas have and every so many batches. Padding is that of annotate's own units of all rows.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from benchmarks.comparison.machine import this_machine
from benchmarks.engines import RESULTS, Engine, add_common_options, load_reader, prepare, read_rows, versions
from ray_qa import Reader, ReadingSettings, Row
from ray_qa.data.units import auto_unit_rows
from ray_qa.reader.arrays import Ints
from ray_qa.reader.backend import Backend, WindowScores
from ray_qa.reader.batching import BATCH_TOKENS, BatchBudget, batch_by_length, padded_tokens, padding_share
from ray_qa.reader.collate import Batch
from ray_qa.reader.encoded import EncodedRows
from ray_qa.reader.limits import Limits

STEADY = 0.5
"""MiB for 1,000 batches that pass for none: the kernel's figure moves about as much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The command line."""

    engines: tuple[Engine, ...]
    data: Path
    model: Path
    batches: int
    every: int
    most_rows: int
    batch_tokens: int
    threads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Resident memory after so many batches, of so many shapes."""

    batches: int
    shapes: int
    mib: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What a process had over its batches; ``padding_share`` is that of annotate's units."""

    engine: str
    seconds: float
    samples: tuple[Sample, ...]
    padding_share: float

    @property
    def growth(self) -> float:
        """MiB for 1,000 batches, over the second half of them."""
        half = self.samples[(len(self.samples) - 1) // 2 :]
        fitted = statistics.linear_regression([each.batches for each in half], [each.mib for each in half])
        return 1_000 * fitted.slope

    @property
    def verdict(self) -> str:
        """The growth, in words."""
        found = "levels off" if self.growth < STEADY else "GROWS"
        return f"{found}: {self.growth:+.2f} MiB for 1,000 batches over the second half"


@dataclass(slots=True, kw_only=True)
class Watched:
    """A backend that counts batches and their shapes, and looks at the memory of its process every so many."""

    backend: Backend
    every: int
    batches: int = 0
    shapes: set[tuple[int, int]] = field(default_factory=set)
    samples: list[Sample] = field(default_factory=list)

    @property
    def limits(self) -> Limits:
        """The backend's."""
        return self.backend.limits

    @property
    def token_multiple(self) -> int:
        """The backend's."""
        return self.backend.token_multiple

    def score(self, batch: Batch, null_position: int, settings: ReadingSettings) -> WindowScores:
        """Let the backend do it."""
        scores = self.backend.score(batch, null_position, settings)
        windows, tokens = batch.input_ids_WT.shape
        self.shapes.add((windows, padded_tokens(tokens, self.token_multiple)))
        self.batches += 1
        if self.batches % self.every == 0:
            self.look()
        return scores

    def look(self) -> None:
        """Sample, and say so."""
        self.samples.append(Sample(batches=self.batches, shapes=len(self.shapes), mib=resident_mib()))
        print(f"{self.batches:>10,} batches{len(self.shapes):>8,} shapes{self.samples[-1].mib:>10.1f} MiB", flush=True)


def main() -> None:
    """Measure, print as it goes, write ``benchmarks/results/memory.json``."""
    asked = _asked()
    measured = []
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        for engine in asked.engines:
            print(engine.name, flush=True)
            pool.submit(prepare, engine, asked.model, read_rows(asked.data)).result()
            measured.append(pool.submit(measure, engine, asked).result())
            print(describe(measured[-1]), flush=True)
    record = {
        "machine": asdict(this_machine()),
        "versions": versions(),
        "asked": asdict(asked),
        "engines": [asdict(each) | {"growth": each.growth, "verdict": each.verdict} for each in measured],
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "memory.json").write_text(json.dumps(record, indent=1, default=str) + "\n")


def measure(engine: Engine, asked: Asked) -> Memory:
    """Score units until there were enough batches."""
    rows = read_rows(asked.data)
    loaded = load_reader(engine, asked.model, rows, asked.threads)
    watched = Watched(backend=loaded.backend, every=asked.every)
    reader = replace(loaded, backend=watched, budget=BatchBudget(asked.batch_tokens))
    encoded = reader.tokenizer.encode(rows, reader.settings.max_question_tokens)
    padding = padding_in_annotate(reader, encoded, rows)
    draw = np.random.default_rng(0)
    watched.look()
    started = time.perf_counter()
    while watched.batches < asked.batches:
        row_K = draw.choice(len(rows), draw.integers(1, asked.most_rows, endpoint=True), replace=False)
        reader.score(encoded.take(row_K), [rows[row].context for row in row_K])
    return Memory(
        engine=engine.name,
        seconds=time.perf_counter() - started,
        samples=tuple(watched.samples),
        padding_share=padding,
    )


def padding_in_annotate(reader: Reader, encoded: EncodedRows, rows: list[Row]) -> float:
    """The share that is padding where annotate cuts the rows into units and those into batches."""
    text_bytes = sum(len(f"{row.question}{row.context}".encode()) for row in rows)
    unit_rows = auto_unit_rows(len(rows), text_bytes, replicas=os.cpu_count() or 1)
    windows = encoded.windows(reader.settings, reader.tokenizer.template.special_tokens)
    multiple = reader.backend.token_multiple
    batches: list[Ints] = []
    for first in range(0, len(rows), unit_rows):
        window_W = np.flatnonzero((windows.row >= first) & (windows.row < first + unit_rows))
        grouped = batch_by_length(windows.tokens[window_W], reader.budget.tokens, multiple)
        batches.extend(window_W[batch] for batch in grouped)
    return padding_share(windows.tokens, batches, multiple)


def resident_mib() -> float:
    """Resident memory of this process, in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def describe(measured: Memory) -> str:
    """What is printed of an engine in the end."""
    first, *_, last = measured.samples
    return (
        f"    {measured.verdict}; {last.mib - first.mib:+.1f} MiB since the warm-up\n"
        f"    padding in annotate's units {measured.padding_share:.1%}; {measured.seconds:,.0f} s"
    )


def _asked() -> Asked:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common_options(parser)
    parser.add_argument("--batches", type=int, default=10_000)
    parser.add_argument("--every", type=int, default=1_000, help="batches between two looks at the memory")
    parser.add_argument("--most-rows", type=int, default=8, help="rows of a unit, from 1 to so many")
    parser.add_argument("--batch-tokens", type=int, default=BATCH_TOKENS["reading"]["cpu"])
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    asked = Asked(**vars(parser.parse_args()))
    if not asked.data.is_file():
        sys.exit(f"--data must be a Parquet file, but {asked.data} is none; name one of yours")
    return replace(asked, every=min(asked.every, asked.batches))


if __name__ == "__main__":
    main()
