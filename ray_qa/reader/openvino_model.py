"""The OpenVINO backend: a converted encoder on the CPU; head and search in float32, as everywhere.

Shapes: W windows, T tokens, H values of a hidden state.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ray_qa.errors import ConfigError, ModelError, first_line
from ray_qa.reader.arrays import Floats
from ray_qa.reader.backend import WindowScores, search_spans
from ray_qa.reader.batching import padded_tokens
from ray_qa.reader.collate import Batch
from ray_qa.reader.encoded import EncodedRows
from ray_qa.reader.limits import Limits
from ray_qa.reader.model_files import ModelFiles
from ray_qa.reader.openvino_conversion import (
    ConvertedModel,
    computes_in_bfloat16,
    converted_model,
    encoder_inputs,
    import_openvino,
)
from ray_qa.reader.quantization import quantized_model
from ray_qa.reader.stopwatch import step
from ray_qa.settings import ReadingSettings, WindowSettings

OUT_OF_MEMORY = ("bad_alloc", "allocate", "out of memory")
"""What OpenVINO's errors say where memory does not suffice; it has no class for them."""
TOKEN_MULTIPLE = {"float32": 8, "bfloat16": 8, "int8": 16}
"""Windows are padded to lengths that are multiples of it: what OpenVINO keeps for every shape it sees adds up, and is
a hundred times as much in int8."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenVinoModel:
    """A converted model on the CPU: a ``Backend``."""

    model: ConvertedModel
    request: Any
    """OpenVINO's infer request, which one thread at a time may use."""
    dtype: str
    at_it: threading.Lock = field(default_factory=threading.Lock)

    @property
    def token_multiple(self) -> int:
        """Batches are padded to lengths that are multiples of it."""
        return TOKEN_MULTIPLE[self.dtype]

    @property
    def limits(self) -> Limits:
        """What it can take."""
        return self.model.limits

    def score(self, batch: Batch, null_position: int, settings: ReadingSettings) -> WindowScores:
        """Run the encoder over a batch, then head and search; see :meth:`Backend.score`."""
        tokens = batch.input_ids_WT.shape[1]
        given = encoder_inputs(batch, self.model.takes_types)
        wide = padded_tokens(tokens, self.token_multiple)
        if self.limits.max_positions is not None:
            wide = max(tokens, min(wide, self.limits.max_positions))
        with step("forward"):
            padded = {name: np.pad(array, ((0, 0), (0, wide - tokens))) for name, array in given.items()}
            hidden_WTH = self._infer(padded)[:, :tokens].astype(np.float32, copy=False)
            logits_WT2 = hidden_WTH @ self.model.head_weight_2H.T + self.model.head_bias_2
        with step("decode"):
            return search_spans(logits_WT2[..., 0], logits_WT2[..., 1], batch, null_position, settings)

    def _infer(self, inputs: dict[str, Any]) -> Floats:
        try:
            with self.at_it:
                hidden_WTH: Floats = self.request.infer(inputs)[0]
        except RuntimeError as error:
            if any(sign in str(error).lower() for sign in OUT_OF_MEMORY):
                raise MemoryError(first_line(error)) from error
            raise ModelError(
                f"`backend` must be able to run the model, but OpenVINO gives: {first_line(error)}; use --backend torch"
            ) from error
        return hidden_WTH


def load_openvino_model(
    files: ModelFiles,
    *,
    dtype: str,
    threads: int,
    calibration: EncodedRows | None,
    settings: WindowSettings,
    protected: bool = False,
) -> OpenVinoModel:
    """Load a model onto the CPU, converting and quantising it where that has not been done on this machine.

    Args:
        files: the model.
        dtype: ``float32``, ``bfloat16`` or ``int8``.
        threads: of the forward pass.
        calibration: rows to quantise on.
        settings: how windows are cut.
        protected: in int8, as :func:`ray_qa.reader.quantization.quantized_model` has it.

    Raises:
        ModelError: if it cannot be converted, or there is no such arithmetic.
        ConfigError: if int8 has no rows to calibrate on.
    """
    if dtype not in ("float32", "bfloat16", "int8"):
        raise ModelError(f"`dtype` must be float32, bfloat16 or int8 with OpenVINO, but is {dtype!r}")
    core = import_openvino().Core()
    native = computes_in_bfloat16(core)
    if dtype == "bfloat16" and not native:
        # It would compute in float32 without a word.
        raise ModelError(
            "`dtype` must be float32 with OpenVINO on a CPU without bfloat16 of its own, but is bfloat16; use "
            "--backend torch, which emulates it"
        )
    if dtype != "int8":
        model = converted_model(files)
    elif calibration is None:
        raise ConfigError("`calibration` must name rows to calibrate int8 on, but there are none")
    else:
        model = quantized_model(files, calibration, settings, protected=protected)
    options = {
        # What int8 leaves is computed in bfloat16 where that is native.
        "INFERENCE_PRECISION_HINT": "bf16" if native and dtype != "float32" else "f32",
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        # Replicas that share a machine would be pinned to the same cores.
        "ENABLE_CPU_PINNING": False,
    }
    try:
        request = core.compile_model(model.network, "CPU", options).create_infer_request()
    except RuntimeError as error:
        raise ModelError(
            f"`backend` must be able to run {files.ref}, but OpenVINO gives: {first_line(error)}; use --backend torch"
        ) from error
    return OpenVinoModel(model=model, request=request, dtype=dtype)
