"""Loading a model onto its device, in the engine and arithmetic that are asked for or fit the machine."""

from __future__ import annotations

import glob
import logging
import sys
from dataclasses import dataclass

from ray_qa.errors import ConfigError, ModelError
from ray_qa.reader.backend import Backend
from ray_qa.reader.cpu import threads_here
from ray_qa.reader.encoded import EncodedRows
from ray_qa.reader.engine import engine_on_cpu
from ray_qa.reader.model_files import ModelFiles, model_kind
from ray_qa.reader.openvino_model import load_openvino_model
from ray_qa.settings import AUTO, WindowSettings

GPU_DRIVERS = ("/dev/nvidia*", "/dev/nvhost*", "/dev/nvmap", "/dev/dxg", "/dev/kfd")
"""Device files that there are where a driver of GPUs is loaded: NVIDIA's, those of its boards, Windows', AMD's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedModel:
    """A model that is ready, the kind of device it is on (``cpu``, ``cuda``, ``mps``), and its threads on a CPU."""

    backend: Backend
    device: str
    threads: int


def load_model(
    files: ModelFiles,
    *,
    backend: str,
    device: str,
    dtype: str,
    threads: int | None,
    calibration: EncodedRows | None,
    settings: WindowSettings,
    protected: bool = False,
) -> LoadedModel:
    """Load a model.

    Args:
        files: the model.
        backend: ``auto``, ``torch`` or ``openvino``.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
        dtype: ``auto`` or an arithmetic.
        threads: of the forward pass on a CPU; all CPUs unless given.
        calibration: rows to quantise on, for int8.
        settings: how windows are cut.
        protected: in int8, as :func:`ray_qa.reader.quantization.quantized_model` has it.

    Raises:
        ModelError: if it cannot be loaded so.
        ConfigError: if there is no such backend.
    """
    if backend not in (AUTO, "torch", "openvino"):
        raise ConfigError(f"`backend` must be auto, torch or openvino, but is {backend!r}")
    if backend == "openvino" and device not in (AUTO, "cpu"):
        raise ModelError(f"`device` must be cpu with `backend` openvino, but is {device}")
    if device == AUTO:
        device = "cpu" if backend == "openvino" or dtype == "int8" else _automatic_device()
    if device != "cpu":
        return _with_torch(files, device, dtype, threads)
    engine = engine_on_cpu(model_kind(files.folder), backend, dtype)
    if engine.backend == "torch":
        return _with_torch(files, device, engine.dtype, threads)
    threads = threads or threads_here()
    try:
        model = load_openvino_model(
            files,
            dtype=engine.dtype,
            threads=threads,
            calibration=calibration,
            settings=settings,
            protected=protected,
        )
    except ModelError as error:
        if backend != AUTO or dtype == "int8":
            raise
        loaded = _with_torch(files, device, dtype, threads)  # raises, where the fault is the model's own
        logging.getLogger(__name__).warning("torch runs the model: %s", error)
        return loaded
    return LoadedModel(backend=model, device=device, threads=threads)


def _with_torch(files: ModelFiles, device: str, dtype: str, threads: int | None) -> LoadedModel:
    import torch

    from ray_qa.reader.span_model import load_span_model

    if threads is not None:
        torch.set_num_threads(threads)
    if device == "cpu":
        dtype = engine_on_cpu(model_kind(files.folder), "torch", dtype).dtype
    model = load_span_model(files, device=device, dtype=dtype)
    return LoadedModel(backend=model, device=device.partition(":")[0], threads=torch.get_num_threads())


def _automatic_device() -> str:
    if sys.platform == "linux" and not any(map(glob.glob, GPU_DRIVERS)):
        return "cpu"  # importing torch to be told so would take longer than all the rest
    from ray_qa.reader.span_model import pick_device

    return pick_device(AUTO).type
