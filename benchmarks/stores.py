"""annotate with everything in a bucket beside annotate with everything in folders, in one run.

``AWS_ENDPOINT_URL=… python -m benchmarks.stores --place s3://bucket/benchmark``. The same rows and the same model, in
turn, ``--repeats`` times; medians of the rows per second that the command itself tells, start-up apart.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import uuid
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.comparison.machine import this_machine
from ray_qa import AnnotateConfig, RunSummary, annotate
from ray_qa.reader.model_files import find_model
from ray_qa.storage import places
from ray_qa.storage.remote import Place, place_of

SQUAD = Path(__file__).parents[2] / "shared" / "data" / "squad_v1_dev_a.parquet"


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--place", required=True, help="URL in a bucket that can be written to")
    parser.add_argument("--rows", type=int, default=1_200)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--data", type=Path, default=SQUAD)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        rows = Path(scratch) / "rows.parquet"
        pq.write_table(pq.read_table(options.data).slice(0, options.rows), rows, row_group_size=256)
        kinds: dict[str, Place] = {
            "folders": Path(scratch) / "out",
            "bucket": place_of(options.place, "place") / uuid.uuid4().hex,
        }
        for place in kinds.values():
            lay_down(place, rows)
        runs: dict[str, list[RunSummary]] = {name: [] for name in kinds}
        for nth in range(options.repeats):
            for name, place in kinds.items():
                runs[name].append(run(place, nth))
                print(name, f"{runs[name][-1].rows_per_second:.2f} rows/s", flush=True)
    print(this_machine().in_words)
    print("| everything in | rows/s | start-up in s |\n|---|---|---|")
    for name, summaries in runs.items():
        speed = statistics.median(each.rows_per_second for each in summaries)
        start = statistics.median(each.start_seconds for each in summaries)
        print(f"| {name} | {speed:.2f} | {start:.1f} |")
    of = {name: statistics.median(each.rows_per_second for each in summaries) for name, summaries in runs.items()}
    print(f"bucket / folders: {of['bucket'] / of['folders']:.3f}")


def lay_down(place: Place, rows: Path) -> None:
    """Put the rows and the embedded model there."""
    for folder in (place / "in", place / "model"):
        places.make_folder(folder)
    places.publish(place / "in" / "rows.parquet", rows.read_bytes())
    for path in find_model("embedded").folder.iterdir():
        places.publish(place / "model" / path.name, path.read_bytes())


def run(place: Place, nth: int) -> RunSummary:
    """Annotate once."""
    return annotate(
        AnnotateConfig(input=(f"{place}/in",), output=f"{place}/out-{nth}", model=f"{place}/model", dtype="float32")
    )


if __name__ == "__main__":
    main()
