"""A model that sleeps instead of computing, and stages that are the product's but for it and their stopwatch."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import numpy as np
import pyarrow as pa

from ray_qa.annotation.stages import AnnotateJob, Annotator, encode_units
from ray_qa.reader.backend import WindowScores
from ray_qa.reader.collate import Batch
from ray_qa.reader.limits import Limits
from ray_qa.reader.loading import LoadedModel
from ray_qa.reader.model_files import ModelFiles
from ray_qa.reader.spans import WindowSpans
from ray_qa.reader.stopwatch import step
from ray_qa.settings import ReadingSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class SleepingModel:
    """A backend that sleeps for so long a window, and finds the first word of each."""

    seconds: float
    token_multiple: int = 1

    @property
    def limits(self) -> Limits:
        """None."""
        return Limits(max_positions=None, vocabulary=None)

    def score(self, batch: Batch, null_position: int, settings: ReadingSettings) -> WindowScores:  # noqa: ARG002
        """Sleep, and answer."""
        windows = len(batch.window_W)
        with step("forward"):
            if self.seconds:
                time.sleep(windows * self.seconds)
            first_W1 = batch.eligible_WT.argmax(axis=1)[:, None]
            ones_W1 = np.ones((windows, 1))
            spans = WindowSpans(
                first_WK=first_W1,
                last_WK=first_W1,
                start_score_WK=ones_W1,
                end_score_WK=ones_W1,
                log_sum_W=np.full(windows, 2.5),
            )
        return WindowScores(spans=spans, null_score_W=np.zeros(windows), finite_W=np.ones(windows, np.bool_))


@contextmanager
def sleeping_stages(seconds: float) -> Iterator[None]:
    """The runs of this process have replicas whose model sleeps for so many seconds a window.

    What ``--profile`` counts of their steps are CPU seconds: of wall-clock seconds others' work on the machine is part.
    """

    class SleepingReplica:
        """A replica as it is, but for its model."""

        def __init__(self, job: AnnotateJob) -> None:
            with patch("ray_qa.reader.reader.load_model", _load_model(seconds)):
                self._replica = Annotator(job)

        def __call__(self, batch: pa.Table) -> pa.Table:
            """Score a unit."""
            with _cpu_clock():
                return self._replica(batch)

    with (
        patch("ray_qa.annotation.pipeline.Annotator", SleepingReplica),
        patch("ray_qa.annotation.pipeline.encode_units", _encode_units),
    ):
        yield


def _encode_units(batch: pa.Table, job: AnnotateJob) -> Iterator[pa.Table]:
    with _cpu_clock():
        yield from encode_units(batch, job)


def _cpu_clock() -> AbstractContextManager[Any]:
    return patch("ray_qa.reader.stopwatch.time", SimpleNamespace(perf_counter=time.process_time))


def _load_model(seconds: float) -> Callable[..., LoadedModel]:
    def load_model(files: ModelFiles, *, threads: int | None = None, **_: Any) -> LoadedModel:  # noqa: ARG001
        return LoadedModel(backend=SleepingModel(seconds=seconds), device="cpu", threads=threads or 1)

    return load_model
