"""What a worker of annotate is told, for tests that play one."""

from __future__ import annotations

import pyarrow as pa

from ray_qa import AnnotateConfig
from ray_qa.annotation.stages import AnnotateJob
from ray_qa.reader.arithmetic import Arithmetic
from ray_qa.reader.calibration import decision_by
from ray_qa.reader.model_files import ModelFiles


def job_for(config: AnnotateConfig, model: ModelFiles, schema: pa.Schema) -> AnnotateJob:
    """A job of one thread in float32, under the plan ``digest``."""
    return AnnotateJob(
        config=config,
        model=model,
        schema=schema,
        questions=(),
        arithmetic=Arithmetic(device="cpu", dtype="float32", batch_tokens=1_024),
        decision=decision_by(None, config.null_threshold),
        calibration=(),
        int8=None,
        threads=1,
        again=frozenset(),
        plan="digest",
    )
