"""Seeing that a model is fit for a run before it begins, from what its files say of themselves."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from ray_qa.reader.limits import Limits, check_fits
from ray_qa.reader.model_cache import kept
from ray_qa.reader.model_files import ModelFiles
from ray_qa.reader.tokenizer_loading import load_pair_tokenizer
from ray_qa.reader.transformers_logging import quiet_transformers
from ray_qa.settings import ReadingSettings

FORM = 1
"""Goes up when more is asked of a model."""
LIMITS = "limits.json"


def check_model(files: ModelFiles, settings: ReadingSettings) -> None:
    """Check that a model is complete and that the settings fit it.

    What its files say is learnt once a machine, and kept: it takes torch and transformers to ask.

    Raises:
        ModelError: if it cannot answer questions.
        ConfigError: if the settings do not fit it.
    """
    tokenizer = load_pair_tokenizer(files.folder)
    key = [FORM, files.weights_sha256, version("transformers"), version("torch")]
    try:
        folder = kept("checked", key, partial(_check, files))
    except OSError:  # a cache that cannot be written to is a cache that is not there
        limits = _limits(files)
    else:
        limits = Limits(**json.loads((folder / LIMITS).read_text()))
    check_fits(settings, tokenizer, limits, files.ref)


def _limits(files: ModelFiles) -> Limits:
    """Check that a model has all weights of an encoder with a span head; gives what it can take.

    Its weights stay on disk where their names and shapes are just those that its architecture has; in any other case it
    is loaded, to learn what is wrong, or that nothing is.

    Raises:
        ModelError: if it cannot answer questions.
    """
    import torch

    from ray_qa.reader.span_model import load_span_model, may_be_decoder, span_model

    module = _without_weights(files)
    if module is None or may_be_decoder(module.config) or not _has_all_weights(module, files):
        return load_span_model(files, device="cpu", dtype="float32").limits
    return span_model(module, torch.device("meta"), torch.float32).limits


def _check(files: ModelFiles, folder: Path) -> None:
    (folder / LIMITS).write_text(json.dumps(asdict(_limits(files))))


def _without_weights(files: ModelFiles) -> Any | None:
    """The model's module, with shapes but no values; ``None`` where its configuration does not make one."""
    import torch

    with quiet_transformers() as transformers:
        try:
            configuration = transformers.AutoConfig.from_pretrained(
                files.folder, local_files_only=True, trust_remote_code=False
            )
            with torch.device("meta"):
                return transformers.AutoModelForQuestionAnswering.from_config(configuration, trust_remote_code=False)
        except Exception:  # transformers raises whatever the file at hand provoked; loading will say it
            return None


def _has_all_weights(module: Any, files: ModelFiles) -> bool:
    there: dict[str, tuple[int, ...]] = {}
    try:
        for path in files.folder.glob("*.safetensors"):
            with safe_open(path, framework="pt") as weights:
                there |= {name: tuple(weights.get_slice(name).get_shape()) for name in weights.keys()}  # noqa: SIM118
    except SafetensorError:
        return False
    return all(there.get(name) == tuple(tensor.shape) for name, tensor in module.state_dict().items())
