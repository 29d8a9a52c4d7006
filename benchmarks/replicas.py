"""What is the best use of a CPU's cores: ``python -m benchmarks.replicas``, 20 minutes on two cores.

For each engine: one process whose forward pass has all cores; a process of one thread for each core; and for OpenVINO
one process with a stream of one thread for each core, each with an infer request that a Python thread uses. What is
timed is ``Reader.score`` of rows that are already encoded, from the first process told to begin to the last done. All
score the same rows, shared out among processes or streams; one way at a time, in turn; medians of ``--repeats``.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.comparison.machine import this_machine
from benchmarks.engines import RESULTS, Engine, add_common_options, load_reader, read_rows, versions
from ray_qa import Reader, Row
from ray_qa.reader.encoded import EncodedRows
from ray_qa.reader.openvino_conversion import import_openvino
from ray_qa.reader.openvino_model import OpenVinoModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The command line."""

    engines: tuple[Engine, ...]
    data: Path
    model: Path
    rows: int
    repeats: int
    cores: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way to use the cores; ``threads`` are those of each stream of each process."""

    name: str
    processes: int
    streams: int
    threads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A reader, and the rows that it scores."""

    reader: Reader
    encoded: EncodedRows
    contexts: list[str | None]

    def score(self) -> None:
        """Score them."""
        self.reader.score(self.encoded, self.contexts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Rows per second of an engine's way: the median, and each pass."""

    engine: str
    way: Way
    rows_per_second: float
    passes: tuple[float, ...]


def main() -> None:
    """Measure, print a table, write ``benchmarks/results/replicas.json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common_options(parser)
    parser.add_argument("--rows", type=int, default=1_200)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--cores", type=int, default=os.cpu_count() or 1)
    asked = Asked(**vars(parser.parse_args()))
    if not asked.data.is_file():
        sys.exit(f"--data must be a Parquet file, but {asked.data} is none; name one of yours")
    measured = []
    for engine in asked.engines:
        of_engine = measure(engine, asked)
        print(describe(of_engine), flush=True)
        measured.extend(of_engine)
    record = {
        "machine": asdict(this_machine()),
        "versions": versions(),
        "asked": asdict(asked),
        "measured": [asdict(each) for each in measured],
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "replicas.json").write_text(json.dumps(record, indent=1, default=str) + "\n")


def ways(engine: Engine, cores: int) -> list[Way]:
    """Those that an engine has; the first is what others are compared with."""
    of_all = [
        Way(name=f"1 process × {cores} threads", processes=1, streams=1, threads=cores),
        Way(name=f"{cores} processes × 1 thread", processes=cores, streams=1, threads=1),
        Way(name=f"1 process × {cores} streams", processes=1, streams=cores, threads=1),
    ]
    return [way for way in of_all if way.streams == 1 or engine.backend == "openvino"]


def measure(engine: Engine, asked: Asked) -> list[Measured]:
    """Time all ways of an engine, in turn."""
    all_ways = ways(engine, asked.cores)
    with ExitStack() as stack:
        started = [stack.enter_context(started_processes(engine, way, asked)) for way in all_ways]
        passes = [[asked.rows / timed_pass(processes) for processes in started] for _ in range(asked.repeats)]
    return [
        Measured(engine=engine.name, way=way, rows_per_second=statistics.median(of_way), passes=of_way)
        for way, of_way in zip(all_ways, zip(*passes, strict=True), strict=True)
    ]


@contextmanager
def started_processes(engine: Engine, way: Way, asked: Asked) -> Iterator[list[Connection]]:
    """The processes of a way, loaded, warm, and idle until they are told to begin; they end with the block."""
    context = get_context("spawn")
    ends = []
    for nth in range(way.processes):
        ours, theirs = context.Pipe()
        context.Process(target=serve, args=(theirs, engine, way, nth, asked)).start()
        theirs.close()
        ends.append(ours)
    try:
        for end in ends:
            end.recv()
        yield ends
    finally:
        for end in ends:
            end.close()


def timed_pass(processes: Sequence[Connection]) -> float:
    """Seconds from the first process told to begin to the last done."""
    started = time.perf_counter()
    for process in processes:
        process.send("begin")
    for process in processes:
        process.recv()
    return time.perf_counter() - started


def serve(parent: Connection, engine: Engine, way: Way, nth: int, asked: Asked) -> None:
    """What a process does: it loads, says so, and scores its rows whenever it is told to."""
    first, *others = shares_of(engine, way, nth, asked)
    parent.send("ready")
    with ThreadPoolExecutor(way.streams) as pool:
        while _told_to_begin(parent):
            waiting = [pool.submit(share.score) for share in others]
            first.score()
            for share in waiting:
                share.result()
            parent.send("done")


def shares_of(engine: Engine, way: Way, nth: int, asked: Asked) -> list[Share]:
    """A share for each stream of the ``nth`` process, of every so many rows: long and short ones in all."""
    rows = read_rows(asked.data)
    readers = _with_streams(load_reader(engine, asked.model, rows, way.threads), way.streams)
    rows = rows[: asked.rows][nth :: way.processes]
    return [_share(reader, rows[stream :: way.streams]) for stream, reader in enumerate(readers)]


def describe(measured: Sequence[Measured]) -> str:
    """The table of an engine."""
    base = measured[0].rows_per_second
    lines = [
        f"    {each.way.name:<24}{each.rows_per_second:>10.1f}{each.rows_per_second / base:>10.3f}" for each in measured
    ]
    return "\n".join([f"{measured[0].engine:<28}{'rows/s':>10}{'ratio':>10}", *lines])


def _told_to_begin(parent: Connection) -> bool:
    """Wait for the parent; false when it has hung up."""
    try:
        parent.recv()
    except EOFError:
        return False
    return True


def _with_streams(reader: Reader, streams: int) -> list[Reader]:
    """A reader for each stream of one compiled model, which is as the package compiles it but for the streams."""
    if streams == 1:
        return [reader]
    backend = reader.backend
    assert isinstance(backend, OpenVinoModel)
    package = backend.request.get_compiled_model()
    names = ("INFERENCE_PRECISION_HINT", "ENABLE_CPU_PINNING")
    kept = {name: package.get_property(name) for name in names}
    compiled = (
        import_openvino()
        .Core()
        .compile_model(backend.model.network, "CPU", kept | {"INFERENCE_NUM_THREADS": streams, "NUM_STREAMS": streams})
    )
    return [replace(reader, backend=replace(backend, request=compiled.create_infer_request())) for _ in range(streams)]


def _share(reader: Reader, rows: Sequence[Row]) -> Share:
    encoded = reader.tokenizer.encode(rows, reader.settings.max_question_tokens)
    return Share(reader=reader, encoded=encoded, contexts=[row.context for row in rows])


if __name__ == "__main__":
    main()
