"""Replicas that score one unit, the whole of a file, and are killed by their own hand where a row is lethal."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module

import pyarrow.parquet as pq

from ray_qa import AnnotateConfig, Reader
from ray_qa.annotation.reading_tasks import blocks_to_read
from ray_qa.annotation.stages import AnnotateJob, Annotator, encode_units
from ray_qa.data.row_groups import Source
from ray_qa.data.units import Piece, Unit
from ray_qa.reader.encoded import EncodedRows
from ray_qa.reader.model_files import find_model
from ray_qa.records import Answer
from ray_qa.runs.ownership import claim
from tests.cluster.annotation.jobs import job_for

LETHAL = "lethal"
MOST_DEATHS = 20


def main() -> None:
    """Have one replica after another score the unit; ``heeded`` says whether lethal rows are. Prints the deaths."""
    corpus, model, output, heeded = sys.argv[1:]
    rows = pq.read_metadata(corpus).num_rows
    config = AnnotateConfig(input=(corpus,), output=output, max_tokens=96, stride=32, max_question_tokens=32)
    unit = Unit(number=0, pieces=(Piece(file=0, row_group=0, first_row=0, rows=rows),))
    job = job_for(config, find_model(model), pq.read_schema(corpus))
    claim(config.folder, "digest")
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    for library in ("torch", "transformers.models.auto.modeling_auto", "transformers.models.roberta.modeling_roberta"):
        import_module(library)  # once: it takes seconds, and each replica is a fork of this process
    deaths = 0
    while (ended := _ended(job, unit, corpus, heeded=heeded == "yes")) == -signal.SIGKILL and deaths < MOST_DEATHS:
        deaths += 1
    print(deaths)
    sys.exit(ended != 0)


def _ended(job: AnnotateJob, unit: Unit, corpus: str, *, heeded: bool) -> int:
    """How a process ended that was a replica: 0, or what is told of one that was killed."""
    pid = os.fork()
    if pid == 0:
        _score(job, unit, corpus, heeded=heeded)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _score(job: AnnotateJob, unit: Unit, corpus: str, *, heeded: bool) -> None:
    (block,) = blocks_to_read([unit], [Source(path=corpus)])
    (encoded,) = encode_units(block, job)
    replica = Annotator(job)
    if heeded:
        score = Reader.score

        def dying(self: Reader, encoded: EncodedRows, contexts: Sequence[str | None]) -> list[Answer]:
            if any(LETHAL in (context or "") for context in contexts):
                os.kill(os.getpid(), signal.SIGKILL)
            return score(self, encoded, contexts)

        Reader.score = dying  # type: ignore[method-assign]  # what a row does that brings its process down
    replica(encoded)


if __name__ == "__main__":
    main()
