"""``Reader`` of ray_qa, and the bare engine below it: only the forward pass, over batches that lie ready."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch

from benchmarks.peers.invocation import (
    MAX_ANSWER_TOKENS,
    MAX_QUESTION_TOKENS,
    MAX_TOKENS,
    STRIDE,
    invocation,
)
from benchmarks.peers.serving import CORES, Pass, Rows, read_rows, serve, timed, warm_up
from ray_qa import Reader, ReadingSettings, Row
from ray_qa.reader.backend import Backend
from ray_qa.reader.batching import batch_by_length, padded_tokens
from ray_qa.reader.collate import Batch, collate
from ray_qa.reader.openvino_conversion import encoder_inputs
from ray_qa.reader.openvino_model import OpenVinoModel
from ray_qa.reader.span_model import SpanModel

CALIBRATION_ROWS = 300
SETTINGS = ReadingSettings(
    always_answer=True,
    max_tokens=MAX_TOKENS,
    stride=STRIDE,
    max_question_tokens=MAX_QUESTION_TOKENS,
    max_answer_tokens=MAX_ANSWER_TOKENS,
)


def main() -> None:
    """Serve both ways."""
    given = invocation()
    torch.set_num_threads(CORES)
    # As annotate calibrates: on rows of what is read, before the clock starts.
    calibration = _records(read_rows(given.warm_up))[:CALIBRATION_ROWS] if given.dtype == "int8" else None
    reader = Reader.load(
        given.model, settings=SETTINGS, backend=given.backend, dtype=given.dtype, calibration=calibration
    )
    warm_up(partial(read, reader), given.warm_up)
    serve({"read": timed(partial(read, reader)), "forward": partial(run_forward, reader)}, ["ray_qa", "torch"])


def read(reader: Reader, rows: Rows) -> list[str]:
    """Answer rows."""
    return [answer.answer or "" for answer in reader.read(_records(rows))]


def run_forward(reader: Reader, rows: Rows) -> Pass:
    """Only the model; batches are assembled before the clock starts."""
    encoded = reader.tokenizer.encode(_records(rows), reader.settings.max_question_tokens)
    windows = encoded.windows(reader.settings, reader.tokenizer.template.special_tokens)
    grouped = batch_by_length(windows.tokens, reader.budget.tokens, reader.backend.token_multiple)
    passes = [
        forward_pass(reader.backend, collate(encoded, windows, window_W, reader.tokenizer.template))
        for window_W in grouped
    ]
    started = time.perf_counter()
    for each in passes:
        each()
    return Pass(seconds=time.perf_counter() - started, answers=[])


def forward_pass(backend: Backend, batch: Batch) -> Callable[[], Any]:
    """The call of the engine itself for one batch, its arguments ready."""
    if isinstance(backend, SpanModel):
        return partial(backend.forward, batch.input_ids_WT, batch.attention_mask_WT, batch.token_type_ids_WT)
    assert isinstance(backend, OpenVinoModel)
    given = encoder_inputs(batch, backend.model.takes_types)
    tokens = batch.input_ids_WT.shape[1]
    wide = padded_tokens(tokens, backend.token_multiple)
    return partial(
        backend.request.infer, {name: np.pad(array, ((0, 0), (0, wide - tokens))) for name, array in given.items()}
    )


def _records(rows: Rows) -> list[Row]:
    return [
        Row(question=question, context=context) for question, context in zip(rows.questions, rows.contexts, strict=True)
    ]


if __name__ == "__main__":
    main()
