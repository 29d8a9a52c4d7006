from __future__ import annotations

import json
from pathlib import Path

import pytest

from ray_qa.annotation.gpu_rates import BERT_BASE_WINDOW, EncoderShape, encoder_shape, flops_of_window

BERT_BASE = EncoderShape(layers=12, width=768, inner=3_072)


def test_a_window_costs_two_operations_a_weight_and_token_and_attention() -> None:
    encoder_weights = 12 * (4 * 768 * 768 + 2 * 768 * 3_072)
    assert encoder_weights == pytest.approx(85e6, rel=0.01)  # of BERT-base's 110 million, the rest are embeddings
    assert flops_of_window(BERT_BASE, 1) == pytest.approx(2 * encoder_weights, rel=0.001)
    assert flops_of_window(BERT_BASE, 384) == BERT_BASE_WINDOW
    longer = flops_of_window(BERT_BASE, 768) - 2 * flops_of_window(BERT_BASE, 384)
    assert longer == pytest.approx(2 * 12 * 4 * 384**2 * 768)


def test_the_shape_stands_in_the_models_configuration(tmp_path: Path) -> None:
    config = {"num_hidden_layers": 12, "hidden_size": 768, "intermediate_size": 3_072}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert encoder_shape(tmp_path) == BERT_BASE
    (tmp_path / "config.json").write_text(json.dumps({"n_layers": 12}))
    assert encoder_shape(tmp_path) is None
    assert encoder_shape(tmp_path / "nowhere") is None
