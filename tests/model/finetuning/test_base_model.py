"""What can be fine-tuned, and what is refused with one line that says why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoModelForQuestionAnswering

from ray_qa.errors import ConfigError, ModelError
from ray_qa.finetuning.base_model import check_base, load_base, parameter_groups
from ray_qa.finetuning.config import FinetuneConfig
from ray_qa.reader.model_files import find_model
from tests.tiny import TOKENIZER_OF, save_model, save_tokenizer, tiny_config, tiny_model


def settings(folder: Path, **changes: Any) -> FinetuneConfig:
    small: dict[str, Any] = {"max_tokens": 96, "stride": 16, "max_question_tokens": 24}
    return FinetuneConfig(model=str(folder), train=("rows",), output="out", **small | changes)


@pytest.mark.parametrize("model_type", sorted(TOKENIZER_OF))
@pytest.mark.parametrize("class_of", [AutoModel, AutoModelForQuestionAnswering], ids=["encoder", "reader"])
def test_every_encoder_can_be_trained_with_and_without_a_head(model_type: str, class_of: Any, tmp_path: Path) -> None:
    folder = tiny_model(tmp_path, model_type, class_of=class_of)
    for freeze in ("none", "layers:1"):
        check_base(find_model(str(folder)), settings(folder, freeze=freeze))


def test_the_new_head_is_drawn_by_the_seed_and_the_encoder_is_the_bases(tiny_base: Path) -> None:
    random_state = torch.random.get_rng_state()
    one, same, other = (load_base(find_model(str(tiny_base)), settings(tiny_base, seed=seed)) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), random_state)
    assert torch.equal(one.qa_outputs.weight, same.qa_outputs.weight)
    assert not torch.equal(one.qa_outputs.weight, other.qa_outputs.weight)
    saved = load_file(tiny_base / "model.safetensors")
    for name, weight in one.roberta.state_dict().items():
        assert torch.equal(weight, saved[name]), name


@pytest.mark.parametrize("model_type", ["roberta", "distilbert", "modernbert", "electra", "deberta-v2"])
def test_dropout_is_set_everywhere_or_left_as_it_is(model_type: str, tmp_path: Path) -> None:
    folder = tiny_model(tmp_path, model_type)
    files = find_model(str(folder))

    def rates(dropout: float | None) -> set[float]:
        module = load_base(files, settings(folder, dropout=dropout))
        found = {part.p for part in module.modules() if isinstance(part, torch.nn.Dropout)}
        return found | {part.attention_dropout for part in module.modules() if hasattr(part, "attention_dropout")}

    assert rates(0.25) == {0.25}
    assert rates(0.0) == {0.0}
    module = AutoModelForQuestionAnswering.from_pretrained(folder)
    assert rates(None) >= {part.p for part in module.modules() if isinstance(part, torch.nn.Dropout)}


def test_weights_stored_in_half_precision_are_trained_in_float32(tmp_path: Path) -> None:
    folder = tiny_model(tmp_path, "bert", class_of=AutoModel)
    halves = {name: weight.half() for name, weight in load_file(folder / "model.safetensors").items()}
    save_file(halves, folder / "model.safetensors", metadata={"format": "pt"})
    assert {each.dtype for each in load_base(find_model(str(folder)), settings(folder)).parameters()} == {torch.float32}


def test_biases_and_norms_get_no_weight_decay_and_frozen_parts_are_not_trained(tiny_base: Path) -> None:
    module = load_base(find_model(str(tiny_base)), settings(tiny_base, freeze="layers:1"))
    decayed, plain = parameter_groups(module, 0.1)
    assert (decayed["weight_decay"], plain["weight_decay"]) == (0.1, 0.0)
    names = {id(parameter): name for name, parameter in module.named_parameters()}
    assert all(names[id(each)].endswith("weight") for each in decayed["params"])
    assert all("bias" in names[id(each)] or "LayerNorm" in names[id(each)] for each in plain["params"])
    assert not any("embeddings" in names[id(each)] or "layer.0" in names[id(each)] for each in decayed["params"])


def test_a_base_that_has_been_a_classifier_gets_a_span_head(tmp_path: Path) -> None:
    folder = save_tokenizer(tmp_path, "byte_level_bpe")
    classifier = transformers.AutoModelForTokenClassification
    save_model(folder, classifier, tiny_config("roberta", num_labels=5))
    check_base(find_model(str(folder)), settings(folder))
    assert load_base(find_model(str(folder)), settings(folder)).qa_outputs.out_features == 2


def refusal(folder: Path, **changes: Any) -> str:
    with pytest.raises((ModelError, ConfigError)) as caught:
        check_base(find_model(str(folder)), settings(folder, **changes))
    (problem,) = caught.value.problems
    return problem


def test_a_decoder_is_refused(tmp_path: Path) -> None:
    save_tokenizer(tmp_path, "byte_level_bpe")
    config = transformers.GPT2Config(n_layer=1, n_embd=32, n_head=2, vocab_size=500)
    save_model(tmp_path, transformers.AutoModel, config)
    assert "`model` must be an encoder, whose tokens see what follows them, but" in refusal(tmp_path)


def test_an_encoder_decoder_and_a_model_for_images_are_refused(tmp_path: Path) -> None:
    for name, config in (
        ("t5", transformers.T5Config(d_model=32, d_kv=8, d_ff=32, num_layers=1, num_heads=2, vocab_size=500)),
        ("vit", transformers.ViTConfig(hidden_size=32, num_hidden_layers=1, num_attention_heads=2)),
    ):
        folder = save_tokenizer(tmp_path / name, "byte_level_bpe")
        save_model(folder, transformers.AutoModel, config)
        wanted = r"`model` must be an encoder with a span head class (AutoModelForQuestionAnswering), but"
        assert refusal(folder) == f"{wanted} {folder} is {name}; use one such as FacebookAI/roberta-base"


def test_a_base_that_lacks_weights_of_its_encoder_is_refused(tmp_path: Path) -> None:
    folder = tiny_model(tmp_path, "roberta", class_of=AutoModel)
    weights = load_file(folder / "model.safetensors")
    del weights["encoder.layer.1.output.dense.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    assert refusal(folder) == (
        f"`model` must have all weights of its encoder, but {folder} lacks roberta.encoder.layer.1.output.dense.weight"
    )


def test_an_unknown_architecture_is_refused(tmp_path: Path) -> None:
    folder = tiny_model(tmp_path, "roberta")
    (folder / "config.json").write_text(json.dumps({"model_type": "nonsense"}))
    assert "`model` must have a configuration that transformers knows, but that of" in refusal(folder)


def test_settings_that_do_not_fit_the_base_are_refused(tiny_base: Path) -> None:
    assert refusal(tiny_base, freeze="layers:3") == "`freeze` must name at most the model's 2 layers, but is layers:3"
    assert "`max_tokens` must be at most the model's positions (512), but is 600" in refusal(tiny_base, max_tokens=600)
