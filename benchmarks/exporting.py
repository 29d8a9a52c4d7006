"""What ``ray-qa export`` takes of time and memory: ``python -m benchmarks.exporting``, some minutes for a million rows.

The output that is exported is made up: SQuAD passages and questions with ids of their own, each answered by a stretch
of its context, in parts as annotate writes them. Every form has a process of its own, which says at its end how much
CPU time it has taken and how much memory it had at most.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.comparison.machine import this_machine
from benchmarks.engines import RESULTS, SQUAD
from ray_qa import AnnotateConfig
from ray_qa.annotation.output import Plan, fingerprints, finish, join_plan
from ray_qa.annotation.summary import RunSummary, count_answers, run_json
from ray_qa.data.part_tables import part_table
from ray_qa.data.schemas import schema_as_text
from ray_qa.data.units import Piece, Unit
from ray_qa.records import Answer
from ray_qa.runs.part_labels import Counts, PartLabel, publish_part
from ray_qa.settings import deciding_settings

FORMS = ("jsonl", "csv", "label-studio", "squad", "parquet")
EXPORT = """
import re, sys, time
from pathlib import Path
from ray_qa.cli.main import main
if main(sys.argv[1:]):
    sys.exit(1)
print(time.process_time(), re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""
"""``ru_maxrss`` would count what the parent had when it forked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """One export."""

    form: str
    cpu_seconds: float
    peak_mib: float
    mib: float
    """What it wrote."""


def main() -> None:
    """Measure, print, write ``benchmarks/results/exporting.json``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=SQUAD, help="Parquet file of SQuAD's columns")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--unit-rows", type=int, default=4_000)
    parser.add_argument("--forms", nargs="+", choices=FORMS, default=FORMS)
    options = parser.parse_args()
    if not options.data.is_file():
        sys.exit(f"--data must be a Parquet file, but {options.data} is none; name one of yours")
    measured = []
    with tempfile.TemporaryDirectory() as folder:
        annotated = write_output(Path(folder) / "annotated", options.data, options.rows, options.unit_rows)
        for form in options.forms:
            measured.append(measure(annotated, form, Path(folder) / form))
            print(describe(measured[-1]), flush=True)
    record = {"machine": asdict(this_machine()), "rows": options.rows, "forms": [asdict(each) for each in measured]}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "exporting.json").write_text(json.dumps(record, indent=1) + "\n")


def measure(annotated: Path, form: str, output: Path) -> Exported:
    """Export in a process of its own."""
    arguments = ["export", "--input", str(annotated), "--to", form, "--output", str(output)]
    done = subprocess.run(
        [sys.executable, "-c", EXPORT, *arguments], stdout=subprocess.PIPE, check=True, text=True, encoding="utf-8"
    )
    cpu_seconds, peak_kib = map(float, done.stdout.splitlines()[-1].split())
    files = [output] if output.is_file() else [path for path in output.rglob("*") if path.is_file()]
    return Exported(
        form=form,
        cpu_seconds=cpu_seconds,
        peak_mib=peak_kib / 1_024,
        mib=sum(path.stat().st_size for path in files) / 2**20,
    )


def write_output(
    folder: Path, data: Path, rows: int, unit_rows: int, answer_of: Callable[[str], Answer] | None = None
) -> Path:
    """A finished output of annotate of so many rows; ``answer_of`` gives each its answer, else contexts have one."""
    config = AnnotateConfig(
        input=str(data), output=str(folder), model="embedded", unit_rows=unit_rows, null_threshold=0.0
    )
    real = pq.read_table(data, columns=["question", "context"]).combine_chunks()
    schema = pa.schema([("id", pa.string()), *real.schema])
    firsts = range(0, rows, unit_rows)
    sizes = [min(unit_rows, rows - first) for first in firsts]
    plan = Plan(
        algorithm=2,
        settings=deciding_settings(config),
        weights_sha256="0" * 64,
        tokenizer_sha256="0" * 64,
        input=(),
        input_schema=schema_as_text(schema),
        units=tuple(
            Unit(number=number, pieces=(Piece(file=0, row_group=0, first_row=first, rows=size),))
            for number, (first, size) in enumerate(zip(firsts, sizes, strict=True))
        ),
    )
    folder.mkdir()
    join_plan(folder, plan)
    contexts = real["context"].to_pylist()
    answers = [_answer(context) for context in contexts]
    for number, (first, size) in enumerate(zip(firsts, sizes, strict=True)):
        which = [row % real.num_rows for row in range(first, first + size)]
        ids = pa.array([f"{row:024x}" for row in range(first, first + size)])
        table = real.take(which).add_column(0, "id", ids)
        own = [answers[row] if answer_of is None else answer_of(contexts[row]) for row in which]
        label = PartLabel(plan="digest", counts=count_answers(own)).as_metadata()
        part = part_table(table, own, config.columns(), label)
        publish_part(folder, number, part, config.compression)
    counts = Counts(rows=rows, answered=rows)
    summary = RunSummary(
        output=str(folder), counts=counts, units=len(sizes), scored_rows=rows, start_seconds=1.0, run_seconds=1.0
    )
    finish(folder, run_json(config, fingerprints(plan), summary, None))
    return folder


def _answer(context: str) -> Answer:
    place = {"start": 10, "end": 40, "start_score": 5.25, "end_score": 4.125}
    return Answer(
        status="answered", answer=context[10:40], span=context[10:40], null_score=-0.5, log_partition=9.5,
        confidence=0.875, windows=1, **place,  # type: ignore[arg-type]  # each is of its field's type
    )  # fmt: skip


def describe(exported: Exported) -> str:
    """What is printed of a form."""
    return (
        f"{exported.form:<14}{exported.cpu_seconds:>8.1f} s of CPU time{exported.peak_mib:>8,.0f} MiB at most, "
        f"{exported.mib:,.0f} MiB written"
    )


if __name__ == "__main__":
    main()
