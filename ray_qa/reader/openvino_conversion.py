"""Span models as OpenVINO has them: converted once a machine, kept in the cache, and found there by all processes."""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from ray_qa.errors import ModelError, first_line
from ray_qa.reader.arrays import Floats, Ints
from ray_qa.reader.collate import Batch
from ray_qa.reader.limits import Limits
from ray_qa.reader.model_cache import CACHE, cache_folder, is_kept, kept
from ray_qa.reader.model_files import ModelFiles

FORM = 2
"""Goes up when what is kept of a model changes."""
CONVERTIBLE = frozenset(
    {"bert", "roberta", "xlm-roberta", "distilbert", "electra", "mpnet", "deberta-v2", "modernbert"}
)
"""Kinds of models that are known to convert and to give what torch gives; a test holds each."""
NETWORK, HEAD, LIMITS = "encoder.xml", "head.safetensors", "limits.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvertedModel:
    """Where a converted encoder lies, its span head, and what the model says of its limits.

    ``head_weight_2H`` and ``head_bias_2`` make the start and the end logit of a token's hidden state of H values.
    """

    network: Path
    head_weight_2H: Floats
    head_bias_2: Floats
    takes_types: bool
    """Whether the encoder takes segment ids too."""
    limits: Limits


def converted_model(files: ModelFiles) -> ConvertedModel:
    """A model as OpenVINO has it, from the cache, or converted now by one process while the others wait.

    Raises:
        ModelError: if it has no trained span head, OpenVINO cannot convert it, or the cache cannot be written to.
    """
    try:
        folder = kept("openvino", conversion_key(files), partial(_convert, files))
    except OSError as error:
        raise ModelError(
            f"`{CACHE}` must name a folder that can be written to, but {cache_folder()} gives: {first_line(error)}"
        ) from error
    head = load_file(folder / HEAD)
    limits = json.loads((folder / LIMITS).read_text())
    takes_types = limits.pop("takes_types")
    return ConvertedModel(
        network=folder / NETWORK,
        head_weight_2H=head["weight"],
        head_bias_2=head["bias"],
        takes_types=takes_types,
        limits=Limits(**limits),
    )


def is_converted(files: ModelFiles) -> bool:
    """Whether this machine has converted the model before."""
    return is_installed() and is_kept("openvino", conversion_key(files))


def conversion_key(files: ModelFiles) -> list[object]:
    """All that decides what a model becomes."""
    versions = (version(library) for library in ("openvino", "torch", "transformers"))
    return [FORM, files.weights_sha256, files.tokenizer_sha256, *versions]


def encoder_inputs(batch: Batch, takes_types: bool) -> dict[str, Ints]:
    """What a converted encoder is given for a batch, by name; each of shape (W, T)."""
    given = {"input_ids": batch.input_ids_WT, "attention_mask": batch.attention_mask_WT}
    if takes_types and batch.token_type_ids_WT is not None:
        given["token_type_ids"] = batch.token_type_ids_WT
    return given


def is_installed() -> bool:
    """Whether OpenVINO is there."""
    return find_spec("openvino") is not None


def check_installed() -> None:
    """Raise where OpenVINO is not there.

    Raises:
        ModelError: saying how to get it.
    """
    if not is_installed():
        raise ModelError(
            "`backend` must be installed, but openvino is not: pip install 'ray_qa[openvino]', or use --backend torch"
        )


def import_openvino() -> Any:
    """The library, which would report its use to its makers if it found a library of theirs for that.

    Raises:
        ModelError: if it is not there.
    """
    check_installed()
    if "openvino" not in sys.modules:
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # as importlib documents it
    try:
        import openvino  # type: ignore[import-untyped]  # it ships no types
    except ImportError as error:
        raise ModelError(
            f"`backend` must be one that can be loaded, but openvino gives: {first_line(error)}; use --backend torch"
        ) from error
    return openvino


def computes_in_bfloat16(core: Any) -> bool:
    """Whether OpenVINO has bfloat16 of the CPU's own."""
    return "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _convert(files: ModelFiles, folder: Path) -> None:
    import torch

    from ray_qa.reader.span_model import load_span_model
    from ray_qa.reader.tokenizer_loading import load_pair_tokenizer
    from ray_qa.reader.transformers_logging import quiet_transformers

    openvino = import_openvino()
    takes_types = load_pair_tokenizer(files.folder).template.context_type is not None
    model = load_span_model(files, device="cpu", dtype="float32")
    head = _span_head(model.module, files)
    names = ["input_ids", "attention_mask", *(["token_type_ids"] if takes_types else [])]
    example = [torch.ones((2, 16), dtype=torch.int64) for _ in names]
    try:
        with torch.no_grad(), quiet_transformers(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # tracing warns of every branch in Python
            network = openvino.convert_model(_encoder(model.module, head, names), example_input=tuple(example))
        for given, name in zip(network.inputs, names, strict=True):
            given.get_tensor().set_names({name})
    except Exception as error:  # the converter raises whatever the module at hand provoked
        raise ModelError(
            f"`backend` must be torch for {files.ref}, as OpenVINO cannot convert it: {first_line(error)}"
        ) from error
    openvino.save_model(network, folder / NETWORK, compress_to_fp16=False)
    weight, bias = (tensor.detach().numpy().astype(np.float32) for tensor in (head.weight, head.bias))
    save_file({"weight": weight, "bias": bias}, folder / HEAD)
    (folder / LIMITS).write_text(json.dumps(asdict(model.limits) | {"takes_types": takes_types}))


def _span_head(module: Any, files: ModelFiles) -> Any:
    """The layer that makes two logits of a hidden state."""
    import torch

    heads = [part for part in module.children() if isinstance(part, torch.nn.Linear) and part.out_features == 2]
    if len(heads) != 1:
        raise ModelError(
            f"`backend` must be torch for {files.ref}, as its span head is not one linear layer but {len(heads)}"
        )
    return heads[0]


def _encoder(module: Any, head: Any, names: Sequence[str]) -> Any:
    """A module that gives what the span head is given: hidden states of shape (W, T, H)."""
    import torch

    class Encoder(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.module = module
            self.hidden_WTH: torch.Tensor | None = None
            head.register_forward_pre_hook(self._keep)

        def _keep(self, _: torch.nn.Module, given: tuple[torch.Tensor]) -> None:
            (self.hidden_WTH,) = given

        def forward(self, *inputs: torch.Tensor) -> torch.Tensor:
            self.module(**dict(zip(names, inputs, strict=True)))
            assert self.hidden_WTH is not None
            return self.hidden_WTH

    return Encoder().eval()
