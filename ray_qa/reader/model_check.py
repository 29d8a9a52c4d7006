"""Seeing that a model is fit for a run before it begins, from what its files say of themselves."""

from __future__ import annotations

from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from ray_qa.reader.model_files import ModelFiles
from ray_qa.reader.pair_tokenizer import load_pair_tokenizer
from ray_qa.reader.reader import Reader, check_settings_fit, check_vocabulary
from ray_qa.reader.span_model import may_be_decoder, span_model
from ray_qa.reader.transformers_logging import quiet_transformers
from ray_qa.settings import ReadingSettings


def check_model(files: ModelFiles, settings: ReadingSettings) -> None:
    """Check that a model is complete and that the settings fit it.

    Its weights stay on disk where their names and shapes are just those that its architecture has; in any other case it
    is loaded, to learn what is wrong, or that nothing is.

    Raises:
        ModelError: if it cannot answer questions.
        ConfigError: if the settings do not fit it.
    """
    module = _without_weights(files)
    if module is None or may_be_decoder(module.config) or not _has_all_weights(module, files):
        Reader.load(files, settings=settings, device="cpu", dtype="float32")
        return
    tokenizer = load_pair_tokenizer(files.folder)
    model = span_model(module, torch.device("meta"), torch.float32)
    check_settings_fit(settings, tokenizer, model)
    check_vocabulary(tokenizer, model, files)


def _without_weights(files: ModelFiles) -> Any | None:
    """The model's module, with shapes but no values; ``None`` where its configuration does not make one."""
    with quiet_transformers() as transformers:
        try:
            configuration = transformers.AutoConfig.from_pretrained(
                files.folder, local_files_only=True, trust_remote_code=False
            )
            with torch.device("meta"):
                return transformers.AutoModelForQuestionAnswering.from_config(configuration, trust_remote_code=False)
        except Exception:  # transformers raises whatever the file at hand provoked; loading will say it
            return None


def _has_all_weights(module: torch.nn.Module, files: ModelFiles) -> bool:
    there: dict[str, tuple[int, ...]] = {}
    try:
        for path in files.folder.glob("*.safetensors"):
            with safe_open(path, framework="pt") as weights:
                there |= {name: tuple(weights.get_slice(name).get_shape()) for name in weights.keys()}  # noqa: SIM118
    except SafetensorError:
        return False
    return all(there.get(name) == tuple(tensor.shape) for name, tensor in module.state_dict().items())
