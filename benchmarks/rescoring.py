"""What ``ray-qa rescore`` takes beside a plain copy: ``python -m benchmarks.rescoring``, minutes for a million rows.

The output that is rescored is made up: SQuAD passages and questions, each row with scores of its own, in parts as
annotate writes them. The copy reads every part with Arrow and writes it again as it is, on as many cores. Both run in
turns, each in a process of its own; the figures are the medians, start of Python included.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.comparison.machine import this_machine
from benchmarks.engines import RESULTS, SQUAD
from benchmarks.exporting import write_output
from ray_qa.reader.answers import confidence
from ray_qa.records import Answer

RESCORE = "import sys; from ray_qa.cli.main import main; sys.exit(main(sys.argv[1:]))"
COPY = """
import os, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import pyarrow as pa, pyarrow.parquet as pq
from ray_qa.storage.local import publish
def copy(part):
    with pq.ParquetFile(part, memory_map=True) as opened:
        table = opened.read(use_threads=False)
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    publish(Path(sys.argv[2]) / part.name, sink.getvalue().to_pybytes())
Path(sys.argv[2]).mkdir()
with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
    list(pool.map(copy, sorted(Path(sys.argv[1]).glob("part-*.parquet"))))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seconds:
    """Of the wall clock."""

    rescore: float
    copy: float

    @property
    def ratio(self) -> float:
        """How many times as long rescoring takes as copying."""
        return self.rescore / self.copy


def main() -> None:
    """Measure, print, write ``benchmarks/results/rescoring.json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=SQUAD, help="Parquet file of SQuAD's columns")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--unit-rows", type=int, default=2_048)
    parser.add_argument("--times", type=int, default=3)
    options = parser.parse_args()
    if not options.data.is_file():
        sys.exit(f"--data must be a Parquet file, but {options.data} is none; name one of yours")
    chance = random.Random(0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        annotated = write_output(
            folder / "annotated", options.data, options.rows, options.unit_rows, lambda text: _answer(text, chance)
        )
        turns = [measure(annotated, folder / f"turn-{turn}") for turn in range(options.times)]
    found = Seconds(
        rescore=statistics.median(turn.rescore for turn in turns), copy=statistics.median(turn.copy for turn in turns)
    )
    seconds = f"rescored in {found.rescore:.1f} s, copied in {found.copy:.1f} s"
    print(f"{options.rows:,} rows: {seconds}: {found.ratio:.2f} times as long")
    record = {"machine": asdict(this_machine()), "rows": options.rows, "turns": [asdict(turn) for turn in turns]}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "rescoring.json").write_text(json.dumps(record, indent=1) + "\n")


def measure(annotated: Path, folder: Path) -> Seconds:
    """Rescore and copy, one after the other."""
    folder.mkdir()
    arguments = ["rescore", "--input", str(annotated), "--output", str(folder / "rescored"), "--null-threshold", "-2"]
    return Seconds(
        rescore=_seconds([sys.executable, "-c", RESCORE, *arguments, "--quiet"]),
        copy=_seconds([sys.executable, "-c", COPY, str(annotated), str(folder / "copied")]),
    )


def _seconds(command: list[str]) -> float:
    began = time.monotonic()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.monotonic() - began


def _answer(context: str, chance: random.Random) -> Answer:
    start_score, end_score, null_score = (chance.gauss(mean, 3) for mean in (4, 4, 5))
    score = start_score + end_score
    log_partition = max(score, null_score) + math.log1p(chance.random())
    abstains = null_score > score
    start = chance.randrange(len(context) - 20)
    span = context[start : start + chance.randrange(1, 20)]
    return Answer(
        status="no_answer" if abstains else "answered", answer=None if abstains else span, span=span, start=start,
        end=start + len(span), start_score=start_score, end_score=end_score, null_score=null_score,
        log_partition=log_partition, windows=1,
        confidence=confidence(null_score if abstains else score, log_partition),
    )  # fmt: skip


if __name__ == "__main__":
    main()
