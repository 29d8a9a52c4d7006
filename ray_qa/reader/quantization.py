"""Converted models in int8: quantised once a machine on windows of real rows, and kept."""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from ray_qa.errors import ModelError, first_line
from ray_qa.reader.collate import collate
from ray_qa.reader.cpu import EIGHT_BITS, cpu_features
from ray_qa.reader.encoded import EncodedRows
from ray_qa.reader.model_cache import CACHE, cache_folder, kept
from ray_qa.reader.model_files import ModelFiles
from ray_qa.reader.openvino_conversion import (
    NETWORK,
    ConvertedModel,
    computes_in_bfloat16,
    conversion_key,
    converted_model,
    encoder_inputs,
    import_openvino,
)
from ray_qa.reader.tokenizer_loading import load_pair_tokenizer
from ray_qa.settings import WindowSettings

FORM = 1
"""Goes up when the same windows give another model."""
WINDOWS = 300
"""Windows that the ranges of activations are taken from."""
PROTECTED = (r".*embeddings.*", r"(?!.*attention).*(output\.dense|ffn\.lin2|mlp\.Wo)/.*")
"""Operations that stay as they are where int8 costs too many answers: by the names that architectures give them."""


def quantized_model(
    files: ModelFiles, rows: EncodedRows, settings: WindowSettings, *, protected: bool = False
) -> ConvertedModel:
    """A model in int8, from the cache, or quantised now by one process while the others wait.

    Args:
        files: the model.
        rows: to calibrate on; at most ``WINDOWS`` of their windows, chosen at random by a fixed seed.
        settings: how windows are cut.
        protected: leave the embeddings and the last product of each layer as they are, as most of the loss is theirs.

    Raises:
        ModelError: if it cannot be converted or quantised, or the cache cannot be written to.
    """
    check_nncf_installed()
    converted = converted_model(files)
    key = [
        FORM, *conversion_key(files), hashlib.sha256(rows.to_ipc()).hexdigest(), settings.max_tokens, settings.stride,
        bool(EIGHT_BITS & cpu_features()), protected, version("nncf"),
    ]  # fmt: skip
    try:
        folder = kept("int8", key, partial(_quantize, files, converted, rows, settings, protected))
    except OSError as error:
        raise ModelError(
            f"`{CACHE}` must name a folder that can be written to, but {cache_folder()} gives: {first_line(error)}"
        ) from error
    return replace(converted, network=folder / NETWORK)


def int8_in_words(*, protected: bool) -> str:
    """What int8 comes to on this machine; answers of machines where it comes to something else are not the same."""
    bits = 8 if EIGHT_BITS & cpu_features() else 7
    rest = "bfloat16" if computes_in_bfloat16(import_openvino().Core()) else "float32"
    kept_back = ", embeddings and last products of layers kept" if protected else ""
    libraries = f"OpenVINO {version('openvino')}, NNCF {version('nncf')}"
    return f"weights of {bits} bits, the rest in {rest}{kept_back}, by {libraries}"


def check_nncf_installed() -> None:
    """Raise where NNCF, which quantises, is not there.

    Raises:
        ModelError: saying how to get it.
    """
    if find_spec("nncf") is None:
        raise ModelError(
            "`dtype` must be one whose libraries are installed, but int8 needs nncf: pip install 'ray_qa[int8]'"
        )


def _quantize(
    files: ModelFiles,
    converted: ConvertedModel,
    rows: EncodedRows,
    settings: WindowSettings,
    protected: bool,
    folder: Path,
) -> None:
    openvino = import_openvino()
    windows = list(_windows(files, converted, rows, settings))
    if not windows:
        raise ModelError("`calibration` must have rows that can be scored, but has none")
    with _quiet_nncf() as nncf:
        parameters = nncf.AdvancedQuantizationParameters(
            overflow_fix=nncf.OverflowFix.FIRST_LAYER if EIGHT_BITS & cpu_features() else nncf.OverflowFix.ENABLE
        )
        try:
            network = nncf.quantize(
                openvino.Core().read_model(converted.network),
                nncf.Dataset(windows),
                model_type=nncf.ModelType.TRANSFORMER,
                subset_size=len(windows),
                ignored_scope=nncf.IgnoredScope(patterns=list(PROTECTED) if protected else [], validate=False),
                advanced_parameters=parameters,
            )
        except Exception as error:  # NNCF raises whatever the network at hand provoked
            raise ModelError(
                f"`dtype` must be another than int8 for {files.ref}, as NNCF cannot quantise it: {first_line(error)}"
            ) from error
    openvino.save_model(network, folder / NETWORK, compress_to_fp16=False)


def _windows(
    files: ModelFiles, converted: ConvertedModel, rows: EncodedRows, settings: WindowSettings
) -> Iterator[dict[str, Any]]:
    """What the encoder is given for each of the windows to calibrate on, one at a time."""
    template = load_pair_tokenizer(files.folder).template
    windows = rows.windows(settings, template.special_tokens)
    chosen = np.random.default_rng(0).permutation(len(windows))[:WINDOWS]
    for window in np.sort(chosen):
        yield encoder_inputs(collate(rows, windows, np.array([window]), template), converted.takes_types)


@contextlib.contextmanager
def _quiet_nncf() -> Iterator[Any]:
    """NNCF without its progress bars and advice; it loads torch."""
    import nncf  # type: ignore[import-untyped]  # it ships no types

    logger = logging.getLogger("nncf")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield nncf
    finally:
        logger.setLevel(level)
