"""ray_qa against its peers: ``make bench-peers``.

In one run, over the same rows and with the same weights: ``annotate`` in its arithmetics, ``Reader``, the bare engine
below each, the question-answering pipeline of transformers 4.57 at several batch sizes, Haystack's reader, the
well-known evaluation script's padded batches, and the plain Ray Data script. Every method is a process that loads its
model and waits. One computes at a time, in turn, and medians are taken, as machines drift. Loading is not timed, nor is
the start-up of annotate and of the Ray Data script. The peers live in virtual environments of their own.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.comparison.agreement import judge
from benchmarks.comparison.contenders import all_contenders, why_not_here
from benchmarks.comparison.machine import this_machine
from benchmarks.comparison.measuring import Record, RowSets, measure, new_records
from benchmarks.comparison.processes import Processes, Settings, started_processes
from benchmarks.comparison.report import describe
from benchmarks.comparison.results import Comparison, aims_of, results_of, unequal_of
from benchmarks.comparison.rows import long_pairs, read_pairs, write_row_set

SHARED = Path(__file__).parents[2] / "shared"
RESULTS = Path(__file__).parent / "results"
ENVIRONMENTS = Path(__file__).parents[1] / ".venv-peers"


def main() -> None:
    """Measure, print tables, write ``benchmarks/results/compare.json``."""
    options = _options()
    for name in ("data", "model"):
        if not getattr(options, name).exists():
            sys.exit(f"--{name} must exist, but {getattr(options, name)} does not; name one of yours")
    machine = this_machine()
    with tempfile.TemporaryDirectory() as folder:
        sets = make_row_sets(options, Path(folder))
        asked = [each for each in all_contenders() if any(name in each.method for name in options.only or [""])]
        contenders = {each: why_not_here(each, machine, options.environments) for each in asked}
        records = new_records(contenders, sets)
        settings = Settings(
            model=str(options.model),
            warm_up=sets.short.folder,
            environments=options.environments,
            scratch=Path(folder),
        )
        with started_processes(settings) as processes:
            for line in measure(records, sets, processes, repeats=options.repeats, long_repeats=options.long_repeats):
                print(line, file=sys.stderr, flush=True)
            versions = versions_of(processes, records)
        compared = Comparison(
            rows=options.rows,
            long_rows=options.long,
            long_characters=options.characters,
            repeats=options.repeats,
            long_repeats=options.long_repeats,
            machine=machine,
            versions=versions,
            results=results_of(records),
            aims=aims_of(records),
            unequal=unequal_of(records, sets, judge(str(options.model))),
        )
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "compare.json").write_text(json.dumps(asdict(compared), indent=1, ensure_ascii=False) + "\n")
    print(describe(compared))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=SHARED / "data" / "squad_v1_dev_a.parquet")
    parser.add_argument("--model", type=Path, default=SHARED / "models" / "minilm-squad")
    parser.add_argument("--environments", type=Path, default=ENVIRONMENTS, help="folder of the peers' environments")
    parser.add_argument("--rows", type=int, default=1_200)
    parser.add_argument("--long", type=int, default=200, help="rows with joined passages")
    parser.add_argument("--characters", type=int, default=20_000, help="length of those")
    parser.add_argument("--few-long", type=int, default=24, help="how many of the long rows all but annotate answer")
    parser.add_argument("--repeats", type=int, default=3, help="passes over the short rows")
    parser.add_argument("--long-repeats", type=int, default=1, help="passes over the long rows")
    parser.add_argument("--only", nargs="+", help="methods with one of these in their names, such as annotate")
    return parser.parse_args()


def make_row_sets(options: argparse.Namespace, folder: Path) -> RowSets:
    """The rows, laid down for all."""
    pairs = read_pairs(options.data)
    long = long_pairs(pairs, options.long, options.characters)
    return RowSets(
        short=write_row_set(folder, "short", pairs[: options.rows]),
        long=write_row_set(folder, "long", long),
        few_long=write_row_set(folder, "long, the first few", long[: options.few_long]),
    )


def versions_of(processes: Processes, records: Sequence[Record]) -> dict[str, dict[str, str]]:
    """The versions of all packages, by the environment they were loaded in; ours is ``ray_qa``."""
    versions: dict[str, dict[str, str]] = {}
    for record in records:
        script = record.contender.script
        if script in processes.running:
            versions.setdefault(script.environment or "ray_qa", {}).update(processes.running[script].versions)
    return versions


if __name__ == "__main__":
    main()
