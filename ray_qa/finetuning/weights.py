"""Weights and optimizer moments, to and from safetensors: checkpoints, and the exported model."""

from __future__ import annotations

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, load_model, save_file, save_model

from ray_qa.errors import OutputError, first_line
from ray_qa.finetuning.checkpoints import (
    MOMENTS,
    WEIGHTS,
    TrainingState,
    checkpoint_here,
    publish_checkpoint,
    remove_old_checkpoints,
)
from ray_qa.finetuning.output import EXPORT, publish_export
from ray_qa.finetuning.step import ModelWithOptimizer
from ray_qa.reader.model_files import ModelFiles, tokenizer_files
from ray_qa.reader.transformers_logging import quiet_transformers
from ray_qa.storage.remote import Place, Remote


def save_checkpoint(
    folder: Place, state: TrainingState, model: ModelWithOptimizer, *, keep: int, scratch: Path
) -> None:
    """Publish a checkpoint and remove the oldest.

    Raises:
        OutputError: if the folder cannot be written to.
        StorageError: if it is in a bucket that cannot.
    """

    def save_tensors(draft: Path) -> None:
        save_model(model.module, str(draft / WEIGHTS))
        save_file(_moments(model), draft / MOMENTS)

    try:
        publish_checkpoint(folder, state, save_tensors, scratch)
        remove_old_checkpoints(folder, state, keep)
    except (OSError, SafetensorError) as error:
        setting, where = ("output", folder) if isinstance(folder, Path) else ("scratch", scratch)
        raise OutputError(f"`{setting}` must be writable, but {where} gives: {first_line(error)}") from error


def load_checkpoint(folder: Place, state: TrainingState, model: ModelWithOptimizer, scratch: Path) -> None:
    """Put a model, its optimizer and its loss scaler back to where a checkpoint left them.

    Raises:
        OutputError: if the checkpoint cannot be read.
    """
    path = checkpoint_here(folder, state.step, scratch)
    try:
        load_model(model.module, str(path / WEIGHTS))
        saved = load_file(path / MOMENTS)
    except (OSError, SafetensorError, RuntimeError) as error:
        raise OutputError(
            f"{path} must be a whole checkpoint, but gives: {first_line(error)}; remove it to go on from an earlier one"
        ) from error
    for name, parameter in model.module.named_parameters():
        moments = {key.rpartition("/")[2]: value for key, value in saved.items() if key.rpartition("/")[0] == name}
        if moments:
            model.optimizer.state[parameter] = {
                kind: value if kind == "step" else value.to(model.device) for kind, value in moments.items()
            }
    if state.scaler:
        model.scaler.load_state_dict(state.scaler)


def export_model(folder: Place, step: int, module: torch.nn.Module, base: ModelFiles, scratch: Path) -> None:
    """Lay the model of a checkpoint out in the output folder as transformers would, with the base's tokenizer."""
    load_model(module, str(checkpoint_here(folder, step, scratch) / WEIGHTS))
    if isinstance(folder, Remote):
        with TemporaryDirectory(dir=scratch) as temporary:
            _export(Path(temporary), module, base)
            publish_export(folder, Path(temporary))
        return
    shutil.rmtree(folder / EXPORT, ignore_errors=True)
    _export(folder / EXPORT, module, base)
    publish_export(folder, folder / EXPORT)


def _export(export: Path, module: torch.nn.Module, base: ModelFiles) -> None:
    pretrained: Any = module
    with quiet_transformers():
        pretrained.save_pretrained(export)
    (export / WEIGHTS).chmod(0o644)  # safetensors leaves it to its owner alone
    for path in tokenizer_files(base.folder):
        shutil.copyfile(path, export / path.name)


def _moments(model: ModelWithOptimizer) -> dict[str, torch.Tensor]:
    state = model.optimizer.state
    return {
        f"{name}/{kind}": value.cpu()
        for name, parameter in model.module.named_parameters()
        for kind, value in state.get(parameter, {}).items()
    }
