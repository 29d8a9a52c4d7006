"""The model to fine-tune: a pretrained encoder with a new span head, or one that has a head already."""

from __future__ import annotations

from typing import Any

import torch

from ray_qa.errors import ConfigError, ModelError, first_line
from ray_qa.finetuning.config import FinetuneConfig
from ray_qa.reader.limits import check_fits
from ray_qa.reader.model_files import ModelFiles
from ray_qa.reader.span_model import check_sees_both_ways, load_weights, span_model
from ray_qa.reader.tokenizer_loading import load_pair_tokenizer
from ray_qa.reader.transformers_logging import quiet_transformers


def load_base(files: ModelFiles, config: FinetuneConfig) -> Any:
    """Load an encoder as a transformers module, float32, on the CPU; a new span head is drawn by the run's seed.

    Raises:
        ModelError: if it is no encoder with a span head class, or lacks weights other than the head's.
        ConfigError: if ``freeze`` names layers it has not.
    """
    rates = _dropout_rates(files)
    overrides: dict[str, Any] = {} if config.dropout is None else dict.fromkeys(rates, config.dropout)
    overrides["num_labels"] = 2  # start and end; a base that has been a classifier may say otherwise
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        module, missing = load_weights(files, torch.float32, **overrides)
    prefix = f"{module.base_model_prefix}."
    if lacking := sorted(name for name in missing if str(name).startswith(prefix)):
        raise ModelError(
            f"`model` must have all weights of its encoder, but {files.ref} lacks {', '.join(lacking[:3])}"
            f"{' …' if len(lacking) > 3 else ''}"
        )
    _freeze(module, config.freeze)
    if config.gradient_checkpointing:
        # Newer versions of transformers have renamed it, and warn of the old name.
        enable = getattr(module, "activation_checkpointing_enable", None) or module.gradient_checkpointing_enable
        enable({"use_reentrant": False})
    return module


def check_base(files: ModelFiles, config: FinetuneConfig) -> None:
    """Load the base once, to see that it can be trained with these settings, and let go of it.

    Raises:
        ModelError, ConfigError: as :func:`load_base`; or its tokenizer or its positions do not fit.
    """
    tokenizer = load_pair_tokenizer(files.folder)
    module = load_base(files, config).eval()
    model = span_model(module, torch.device("cpu"), torch.float32)
    check_fits(config, tokenizer, model.limits, files.ref)
    check_sees_both_ways(module, files)


def parameter_groups(module: torch.nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """What AdamW trains: matrices with weight decay, biases and norms without."""
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    return [
        {"params": [each for each in trained if each.ndim >= 2], "weight_decay": weight_decay},
        {"params": [each for each in trained if each.ndim < 2], "weight_decay": 0.0},
    ]


def _dropout_rates(files: ModelFiles) -> list[str]:
    """Check the architecture; gives the names of the dropout rates in its configuration."""
    with quiet_transformers() as transformers:
        try:
            configuration = transformers.AutoConfig.from_pretrained(
                files.folder, local_files_only=True, trust_remote_code=False
            )
        except Exception as error:  # transformers raises whatever the file at hand provoked
            raise ModelError(
                f"`model` must have a configuration that transformers knows, but that of {files.ref} gives: "
                f"{first_line(error)}"
            ) from error
        known = type(configuration) in transformers.MODEL_FOR_QUESTION_ANSWERING_MAPPING
    if not known or getattr(configuration, "is_encoder_decoder", False):
        raise ModelError(
            f"`model` must be an encoder with a span head class (AutoModelForQuestionAnswering), but {files.ref} is "
            f"{configuration.model_type}; use one such as FacebookAI/roberta-base"
        )
    return [
        name
        for name, value in configuration.to_dict().items()
        if "dropout" in name and isinstance(value, int | float) and not isinstance(value, bool)
    ]


def _freeze(module: torch.nn.Module, what: str) -> None:
    if what == "none":
        return
    encoder: Any = module.base_model
    kind, _, count = what.partition(":")
    embeddings = [getattr(encoder, name, None) for name in ("embeddings", "embeddings_project")]
    frozen: list[torch.nn.Module] = [part for part in embeddings if part is not None]
    frozen = frozen or [encoder.get_input_embeddings()]
    if kind == "layers":
        layers = max(
            (part for part in encoder.modules() if isinstance(part, torch.nn.ModuleList)),
            key=lambda part: sum(parameter.numel() for parameter in part.parameters()),
        )
        if int(count) > len(layers):
            raise ConfigError(f"`freeze` must name at most the model's {len(layers)} layers, but is {what}")
        frozen += list(layers)[: int(count)]
    for part in frozen:
        part.requires_grad_(False)
