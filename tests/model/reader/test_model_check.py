from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from ray_qa.errors import ConfigError, ModelError, RayQaError
from ray_qa.reader.model_check import check_model
from ray_qa.reader.model_files import find_model
from ray_qa.reader.reader import Reader
from ray_qa.settings import ReadingSettings
from tests.model.conftest import EXACT
from tests.tiny import TOKENIZER_OF, save_model, save_tokenizer, tiny_model


@pytest.fixture
def no_loading(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fail where weights would be loaded."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("the weights were about to be loaded")

    monkeypatch.setattr(Reader, "load", refuse)


@pytest.mark.usefixtures("no_loading")
@pytest.mark.parametrize("model_type", TOKENIZER_OF)
def test_a_complete_model_is_known_by_the_names_and_shapes_of_its_weights(tmp_path: Path, model_type: str) -> None:
    check_model(find_model(str(tiny_model(tmp_path, model_type))), ReadingSettings())


@pytest.mark.usefixtures("no_loading")
def test_settings_that_do_not_fit_are_refused_without_weights(tiny_reader_folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"^`max_tokens` must be at most the model's positions \(512\), but is 513$"):
        check_model(find_model(str(tiny_reader_folder)), ReadingSettings(max_tokens=513))


@pytest.mark.usefixtures("no_loading")
def test_a_tokenizer_of_another_model_is_refused_without_weights(tmp_path: Path) -> None:
    folder = tiny_model(tmp_path, "bert")
    weights = load_file(folder / "model.safetensors")
    name = "bert.embeddings.word_embeddings.weight"
    save_file(weights | {name: torch.zeros(9_999, 32)}, folder / "model.safetensors", metadata={"format": "pt"})
    config = folder / "config.json"
    words = len(weights[name])
    config.write_text(config.read_text().replace(f'"vocab_size": {words}', '"vocab_size": 9999'))
    with pytest.raises(ModelError, match="tokenizer and weights are of different models"):
        check_model(find_model(str(folder)), ReadingSettings())


def no_head(folder: Path) -> None:
    tiny_model(folder, "bert", class_of=transformers.AutoModel)


def no_layer(folder: Path) -> None:
    _change(folder, lambda weights: weights.pop("roberta.encoder.layer.1.output.dense.weight"))


def other_shape(folder: Path) -> None:
    _change(folder, lambda weights: weights.update({"qa_outputs.weight": torch.zeros(3, 32)}))


def damaged(folder: Path) -> None:
    path = tiny_model(folder, "roberta") / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def decoder(folder: Path) -> None:
    save_tokenizer(folder, "byte_level_bpe")
    config = transformers.GPT2Config(n_layer=1, n_embd=32, n_head=2, vocab_size=500)
    save_model(folder, transformers.GPT2ForQuestionAnswering, config)


def unknown(folder: Path) -> None:
    config = tiny_model(folder, "roberta") / "config.json"
    config.write_text(config.read_text().replace('"model_type": "roberta"', '"model_type": "nobody"'))


def _change(folder: Path, change: Any) -> None:
    path = tiny_model(folder, "roberta") / "model.safetensors"
    weights = load_file(path)
    change(weights)
    save_file(weights, path, metadata={"format": "pt"})


@pytest.mark.parametrize("spoil", [no_head, no_layer, other_shape, damaged, decoder, unknown])
def test_whatever_loading_refuses_is_refused_in_the_same_words(tmp_path: Path, spoil: Any) -> None:
    spoil(tmp_path)
    files = find_model(str(tmp_path))
    with pytest.raises(RayQaError) as loaded:
        Reader.load(files, device="cpu", **EXACT)
    with pytest.raises(RayQaError) as checked:
        check_model(files, ReadingSettings())
    assert str(checked.value) == str(loaded.value)


def test_weights_under_older_names_are_loaded_to_see_that_they_are_all_there(tmp_path: Path) -> None:
    folder = tiny_model(tmp_path, "bert")
    weights = load_file(folder / "model.safetensors")
    older = {name.replace("LayerNorm.weight", "LayerNorm.gamma"): values for name, values in weights.items()}
    assert older.keys() != weights.keys()
    save_file(older, folder / "model.safetensors", metadata={"format": "pt"})
    check_model(find_model(str(folder)), ReadingSettings())
