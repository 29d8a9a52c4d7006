"""The demo: annotate the corpus that comes with the package, and show a handful of answers in their sentences."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pyarrow as pa
import pyarrow.json
import pyarrow.parquet as pq
from pydantic import Field
from rich.console import Console

from ray_qa.asking.sentences import answer_in_its_sentence
from ray_qa.errors import OutputError, first_line
from ray_qa.settings import Group, Settings
from ray_qa.storage.remote import place_of

CORPUS = Path(__file__).parents[1] / "assets" / "embedded" / "corpus.jsonl"
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("title", pa.string()),
        ("context", pa.string()),
        ("question", pa.string()),
        ("answers", pa.struct([("text", pa.list_(pa.string())), ("answer_start", pa.list_(pa.int64()))])),
    ]
)
SHOWN = 8


class DemoConfig(Settings):
    """Annotate the small corpus that comes with the package, and show what comes out.

    ray-qa demo
    ray-qa demo --output /tmp/demo
    """

    output: Annotated[str, Group.OUTPUT] = Field(
        "demo-output", min_length=1, description="Folder for the corpus and its annotations."
    )


def demo(config: DemoConfig) -> int:
    """Write the corpus as Parquet, annotate it, print what came out; returns the exit code."""
    from ray_qa.annotation.annotate import annotate
    from ray_qa.annotation.config import AnnotateConfig
    from ray_qa.annotation.summary import describe

    folder = place_of(config.output, "output")
    if not isinstance(folder, Path):
        raise OutputError(f"`output` must be a folder of this machine, but is {folder}")
    corpus, annotated = folder / "corpus.parquet", folder / "annotated"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.json.read_json(CORPUS, parse_options=pa.json.ParseOptions(explicit_schema=SCHEMA)), corpus)
    except OSError as error:
        raise OutputError(
            f"`output` must be a folder that can be written to, but {folder} gives: {first_line(error)}"
        ) from error
    console = Console(highlight=False)
    console.print(f"Annotating {corpus}: 60 short passages, 3 questions each, one of them without an answer …")
    summary = annotate(AnnotateConfig(input=(str(corpus),), output=str(annotated), overwrite=True))
    rows = pq.read_table(annotated, columns=["question", "context", "answer", "start", "end", "confidence"]).to_pylist()
    console.print()
    for row in rows[:: max(1, len(rows) // SHOWN)][:SHOWN]:
        console.print(
            answer_in_its_sentence(
                row["question"], row["context"], row["answer"], row["start"], row["confidence"]
            ).append("\n")
        )
    console.print(describe(summary), soft_wrap=True)
    console.print(
        f"\nNext: ray-qa evaluate --predictions {annotated} --gold {corpus}\n"
        '      ray-qa ask --question "…?" --context FILE\n'
        "      ray-qa annotate --input YOUR.parquet --output FOLDER",
        soft_wrap=True,
    )
    return summary.exit_code
