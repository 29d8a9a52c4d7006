"""The settings of plan."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveInt

from ray_qa.annotation.config import AnnotateConfig, AnnotationSettings
from ray_qa.settings import FREE, Group


class PlanConfig(AnnotationSettings):
    """Say what annotating a corpus would take, before it is begun: rows, windows, hours, bytes, and what will hurt.

    ray-qa plan --input corpus.parquet --model deepset/roberta-base-squad2 --replicas 8
    ray-qa plan --input s3://bucket/corpus --probe-rows 2000
    ray-qa plan --input documents.jsonl --limit 10000 --questions questions.txt --wide
    """

    probe_rows: Annotated[PositiveInt, FREE, Group.MACHINES] = Field(
        256, description="Rows that are read, twice, to measure; they are drawn from all over the corpus."
    )
    probe_seed: Annotated[NonNegativeInt, FREE, Group.MACHINES] = Field(
        0, description="Of their draw: another number, other rows."
    )

    def as_annotate(self, output: Path) -> AnnotateConfig:
        """The settings of the run that is forecast, if it wrote to ``output``."""
        shared = {name: getattr(self, name) for name in AnnotationSettings.model_fields}
        return AnnotateConfig(**shared, output=str(output))
