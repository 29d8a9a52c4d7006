"""What a GPU would do where none is here to be measured: published figures, carried over by arithmetic."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuRate:
    """How much a GPU computes with an encoder, as somebody else has measured it."""

    name: str
    flops: float
    """Floating-point operations of the model, without padding, a second."""
    source: str


BERT_BASE_WINDOW = 384 * (24 * 768**2 + 4 * 384 * 768) * 12
"""Operations of a window of 384 tokens in BERT-base, by :func:`flops_of_window`."""
GPU_RATES = (
    GpuRate(
        name="A100, float16, torch as it is",
        flops=1_277 * BERT_BASE_WINDOW,
        source="1,277 windows of 384 tokens a second in BERT-base, published with AITemplate",
    ),
    GpuRate(
        name="A100, float16, compiled",
        flops=2_521 * BERT_BASE_WINDOW,
        source="2,521 windows of 384 tokens a second in BERT-base, published with AITemplate",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EncoderShape:
    """What decides how much an encoder computes."""

    layers: int
    width: int
    inner: int
    """Of the feed-forward part."""


def encoder_shape(folder: Path) -> EncoderShape | None:
    """The shape that a model's ``config.json`` states, if it does in the usual words."""
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        return EncoderShape(
            layers=int(config["num_hidden_layers"]),
            width=int(config["hidden_size"]),
            inner=int(config["intermediate_size"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def flops_of_window(shape: EncoderShape, tokens: float) -> float:
    """Floating-point operations of one window: two for each weight and token, and attention over all pairs of tokens.

    Each layer has four projections of width², two of width × inner; scores and mix take 4 · tokens² · width.
    """
    weights = 4 * shape.width**2 + 2 * shape.width * shape.inner
    return shape.layers * (2 * tokens * weights + 4 * tokens**2 * shape.width)
