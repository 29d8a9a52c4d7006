"""The torch backend: loading a span model, its forward pass, and the search over its logits on their device.

Shapes: W windows, T tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy.typing as npt
import torch

from ray_qa.errors import ModelError, first_line
from ray_qa.reader.backend import BrokenDeviceError, WindowScores, search_spans
from ray_qa.reader.collate import Batch
from ray_qa.reader.limits import Limits
from ray_qa.reader.model_files import ModelFiles
from ray_qa.reader.stopwatch import is_counting, step
from ray_qa.reader.transformers_logging import quiet_transformers
from ray_qa.settings import ReadingSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanLogits:
    """What a span model says about every token of W windows.

    ``start_logits_WT`` (``end_logits_WT``) are the unnormalised scores, shape (W, T), of each token as the first
    (last) token of the answer; softmax over T would make them probabilities. ``loss`` is the training objective, a
    scalar: the mean of the cross-entropies of the two against the given positions; ``None`` where none were given.
    """

    start_logits_WT: torch.Tensor
    end_logits_WT: torch.Tensor
    loss: torch.Tensor | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanModel:
    """An ``AutoModelForQuestionAnswering`` on its device, in evaluation mode: a ``Backend``."""

    module: torch.nn.Module
    device: torch.device
    dtype: torch.dtype
    limits: Limits
    token_multiple: int = 1

    def forward(
        self,
        input_ids_WT: npt.NDArray[Any],
        attention_mask_WT: npt.NDArray[Any],
        token_type_ids_WT: npt.NDArray[Any] | None = None,
        *,
        start_positions_W: npt.NDArray[Any] | None = None,
        end_positions_W: npt.NDArray[Any] | None = None,
    ) -> SpanLogits:
        """Run the model without gradients.

        Args:
            input_ids_WT: token ids, integers of shape (W, T).
            attention_mask_WT: 1 for tokens, 0 for padding.
            token_type_ids_WT: segment ids, for models that take them.
            start_positions_W: index of each answer's first token, to get a loss; shape (W,).
            end_positions_W: index of each answer's last token; shape (W,).
        """
        inputs = {
            "input_ids": input_ids_WT,
            "attention_mask": attention_mask_WT,
            "token_type_ids": token_type_ids_WT,
            "start_positions": start_positions_W,
            "end_positions": end_positions_W,
        }
        tensors = {name: torch.from_numpy(array).to(self.device) for name, array in inputs.items() if array is not None}
        with torch.inference_mode():
            output = self.module(**tensors)
        return SpanLogits(
            start_logits_WT=output.start_logits.float(),
            end_logits_WT=output.end_logits.float(),
            loss=None if output.loss is None else output.loss.float(),
        )

    def score(self, batch: Batch, null_position: int, settings: ReadingSettings) -> WindowScores:
        """Run the model over a batch and search each window, on the device; see :meth:`Backend.score`."""
        try:
            with step("forward"):
                logits = self.forward(batch.input_ids_WT, batch.attention_mask_WT, batch.token_type_ids_WT)
                if self.device.type == "cuda" and is_counting():
                    torch.cuda.synchronize(self.device)
            with step("decode"):
                return search_spans(logits.start_logits_WT, logits.end_logits_WT, batch, null_position, settings)
        except (torch.OutOfMemoryError, RuntimeError) as error:
            if not _is_out_of_memory(error):
                if "CUDA error" in str(error):
                    raise BrokenDeviceError(first_line(error)) from error
                raise
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
            raise MemoryError(first_line(error)) from error


def load_span_model(files: ModelFiles, *, device: str = "auto", dtype: str = "auto") -> SpanModel:
    """Load a checkpoint with a trained span head.

    A base checkpoint such as ``roberta-base`` is not a question answerer: transformers would give it a span head of
    random numbers. It is refused here; it becomes a reader by fine-tuning.

    Raises:
        ModelError: if the weights cannot be loaded, are not complete, or the device is not there.
    """
    where = pick_device(device)
    arithmetic = pick_dtype(dtype, where)
    module, missing = load_weights(files, arithmetic)
    if may_be_decoder(module.config):
        check_sees_both_ways(module, files)
    if missing:
        raise ModelError(
            f"`model` must have a trained span head, but {files.ref} lacks {', '.join(sorted(missing)[:3])}; fine-tune "
            "it for question answering first, or use a checkpoint such as deepset/roberta-base-squad2"
        )
    try:
        module = module.to(where).eval()
    except (RuntimeError, AssertionError) as error:
        raise ModelError(f"`device` must be one this machine has, but {where} gives: {first_line(error)}") from error
    return span_model(module, where, arithmetic)


def span_model(module: torch.nn.Module, device: torch.device, dtype: torch.dtype) -> SpanModel:
    """A module that lies on ``device``, with what it says of its limits."""
    return SpanModel(
        module=module,
        device=device,
        dtype=dtype,
        limits=Limits(max_positions=_usable_positions(module), vocabulary=_vocabulary(module)),
    )


def load_weights(files: ModelFiles, dtype: torch.dtype, **overrides: Any) -> tuple[Any, set[str]]:
    """Load a checkpoint as a transformers span model; gives it and the names of the weights it lacks, drawn at random.

    ``overrides`` replace entries of its configuration.

    Raises:
        ModelError: if it cannot be loaded.
    """
    with quiet_transformers() as transformers:
        try:
            module, info = transformers.AutoModelForQuestionAnswering.from_pretrained(
                files.folder,
                dtype=dtype,
                use_safetensors=True,
                local_files_only=True,
                trust_remote_code=False,
                output_loading_info=True,
                **overrides,
            )
        except Exception as error:  # transformers raises whatever the file at hand provoked
            raise ModelError(
                f"`model` must be a question-answering checkpoint, but {files.ref} cannot be loaded: "
                f"{first_line(error)}"
            ) from error
    return module, set(info["missing_keys"])


def may_be_decoder(configuration: Any) -> bool:
    """Whether an architecture is one that language models are made of which read from left to right."""
    with quiet_transformers() as transformers:
        kind = type(configuration)
        return kind in transformers.MODEL_FOR_CAUSAL_LM_MAPPING and kind not in transformers.MODEL_FOR_MASKED_LM_MAPPING


def check_sees_both_ways(module: torch.nn.Module, files: ModelFiles) -> None:
    """Check that a module is an encoder: a decoder's first token sees nothing of what follows, so it could never score
    "no answer".

    Raises:
        ModelError: if it is a decoder.
    """
    with torch.inference_mode():
        ids = torch.tensor([[5, 6, 7, 8], [5, 6, 7, 9]])
        first = module.eval()(input_ids=ids).start_logits[:, 0]
    if torch.equal(first[0], first[1]):
        raise ModelError(
            f"`model` must be an encoder, whose tokens see what follows them, but {files.ref} reads from left to "
            "right; use one such as FacebookAI/roberta-base"
        )


def pick_device(device: str) -> torch.device:
    """``auto`` is CUDA where there is one, else the CPU.

    Raises:
        ModelError: if CUDA is asked for and not there, or torch knows no such device.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ModelError(
            f"`device` must be one this machine has, but is {device} and torch finds no CUDA; use cpu or auto"
        )
    try:
        return torch.device(device)
    except RuntimeError as error:
        raise ModelError(f"`device` must be auto, cpu, cuda, cuda:N or mps, but is {device!r}") from error


def pick_dtype(dtype: str, device: torch.device) -> torch.dtype:
    """``auto`` is float32 on a CPU; on CUDA bfloat16, or float16 where the card has no bfloat16.

    Raises:
        ModelError: if there is no such arithmetic.
    """
    named = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
    if dtype in named:
        return named[dtype]
    if dtype != "auto":
        raise ModelError(f"`dtype` must be auto, {', '.join(named)}, but is {dtype!r}")
    if device.type != "cuda":
        return torch.float32
    return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16


def _is_out_of_memory(error: Exception) -> bool:
    """CUDA has its own error class; torch's CPU allocator and cuBLAS raise a plain RuntimeError."""
    return isinstance(error, torch.OutOfMemoryError) or any(
        sign in str(error) for sign in ("allocate memory", "CUBLAS_STATUS_ALLOC_FAILED")
    )


def _vocabulary(module: torch.nn.Module) -> int | None:
    embeddings = getattr(module, "get_input_embeddings", lambda: None)()
    return embeddings.num_embeddings if isinstance(embeddings, torch.nn.Embedding) else None


def _usable_positions(module: torch.nn.Module) -> int | None:
    """Positions a window can use: RoBERTa numbers its tokens from padding_idx + 1, so it loses some of its table."""
    for name, part in module.named_modules():
        if name.endswith("position_embeddings") and isinstance(part, torch.nn.Embedding):
            return part.num_embeddings - (0 if part.padding_idx is None else part.padding_idx + 1)
    limit = getattr(module.config, "max_position_embeddings", None)
    return limit if isinstance(limit, int) and limit > 0 else None
