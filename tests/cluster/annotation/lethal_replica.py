"""A replica that scores one unit, the whole of a file, and is killed by its own hand where a row is lethal."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

import pyarrow.parquet as pq

from ray_qa import AnnotateConfig, Reader
from ray_qa.annotation.reading_tasks import blocks_to_read
from ray_qa.annotation.stages import Annotator, encode_units
from ray_qa.data.row_groups import Source
from ray_qa.data.units import Piece, Unit
from ray_qa.reader.encoded import EncodedRows
from ray_qa.reader.model_files import find_model
from ray_qa.records import Answer
from ray_qa.runs.ownership import claim
from tests.cluster.annotation.jobs import job_for

LETHAL = "lethal"


def main() -> None:
    """Score the unit; ``heeded`` says whether lethal rows are."""
    corpus, model, output, heeded = sys.argv[1:]
    rows = pq.read_metadata(corpus).num_rows
    config = AnnotateConfig(input=(corpus,), output=output, max_tokens=96, stride=32, max_question_tokens=32)
    unit = Unit(number=0, pieces=(Piece(file=0, row_group=0, first_row=0, rows=rows),))
    job = job_for(config, find_model(model), pq.read_schema(corpus))
    claim(config.folder, "digest")
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    (block,) = blocks_to_read([unit], [Source(path=corpus)])
    (encoded,) = encode_units(block, job)
    replica = Annotator(job)
    if heeded == "yes":
        score = Reader.score

        def dying(self: Reader, encoded: EncodedRows, contexts: Sequence[str | None]) -> list[Answer]:
            if any(LETHAL in (context or "") for context in contexts):
                os.kill(os.getpid(), signal.SIGKILL)
            return score(self, encoded, contexts)

        Reader.score = dying  # type: ignore[method-assign]  # what a row does that brings its process down
    replica(encoded)


if __name__ == "__main__":
    main()
