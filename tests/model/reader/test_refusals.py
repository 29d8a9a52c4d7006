"""What cannot work is refused at loading, each in one line that says what is expected, found, and what to do."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import transformers

from ray_qa.errors import ConfigError, ModelError, RayQaError
from ray_qa.reader.model_files import tokenizer_files
from ray_qa.reader.reader import Reader
from ray_qa.settings import ReadingSettings
from tests.model.conftest import EXACT
from tests.tiny import TOKENIZER_OF, save_model, save_tokenizer, tiny_bert, tiny_model, tiny_reader


def refusal(folder: Path | str, kind: type[RayQaError] = ModelError, **settings: int) -> str:
    """The one line that loading ends with."""
    with pytest.raises(kind) as caught:
        Reader.load(str(folder), settings=ReadingSettings(**settings), device="cpu", **EXACT)
    (line,) = caught.value.problems
    assert "\n" not in line
    assert str(caught.value) == line
    return line


@pytest.mark.parametrize("model_type", TOKENIZER_OF)
def test_an_encoder_without_a_span_head(model_type: str, tmp_path: Path) -> None:
    tiny_model(tmp_path, model_type, class_of=transformers.AutoModel)
    line = refusal(tmp_path)
    assert line.startswith(f"`model` must have a trained span head, but {tmp_path} lacks ")
    assert "fine-tune it" in line
    assert "deepset/roberta-base-squad2" in line


def test_a_masked_language_model(tmp_path: Path) -> None:
    tiny_model(tmp_path, "roberta", class_of=transformers.AutoModelForMaskedLM)
    assert "must have a trained span head" in refusal(tmp_path)


def test_the_real_minilm_without_a_span_head(shared: Path) -> None:
    folder = (shared / "models" / "minilm-base").resolve()
    assert refusal(folder).startswith(f"`model` must have a trained span head, but {folder} lacks qa_outputs.bias")


def test_a_tokenizer_of_more_tokens_than_the_model_has_embeddings_for(tmp_path: Path) -> None:
    tiny_bert(tmp_path)
    config = transformers.BertConfig.from_pretrained(tmp_path, vocab_size=10)
    save_model(tmp_path, transformers.BertForQuestionAnswering, config)
    line = refusal(tmp_path)
    assert line.startswith(f"`model` must have an embedding for every token, but {tmp_path} has 10 of them for ")


def test_a_slow_tokenizer(tmp_path: Path) -> None:
    config = transformers.CanineConfig(
        num_hidden_layers=1, hidden_size=32, num_attention_heads=2, intermediate_size=32, num_hash_buckets=64
    )
    save_model(tmp_path, transformers.CanineForQuestionAnswering, config)
    transformers.CanineTokenizer().save_pretrained(tmp_path)
    line = refusal(tmp_path)
    assert line.startswith("`model` must have a fast tokenizer (tokenizer.json)")
    assert "CanineTokenizer" in line


def test_a_decoder_that_puts_nothing_before_the_question(tmp_path: Path) -> None:
    save_tokenizer(tmp_path, "byte_level_bpe", tokenizer_class="PreTrainedTokenizerFast")
    tokenizer = json.loads((tmp_path / "tokenizer.json").read_text())
    tokenizer["post_processor"] = None
    (tmp_path / "tokenizer.json").write_text(json.dumps(tokenizer))
    config = transformers.GPT2Config(
        vocab_size=500, n_embd=32, n_layer=1, n_head=2, n_positions=512, bos_token_id=0, eos_token_id=2
    )
    save_model(tmp_path, transformers.GPT2ForQuestionAnswering, config)
    line = refusal(tmp_path)
    assert line.startswith("`model` must put a CLS or BOS token before the question (it scores 'no answer')")
    assert line.endswith("use an encoder such as RoBERTa or BERT")


@pytest.mark.parametrize("trained", [False, True])
def test_a_decoder_with_an_encoders_tokenizer_whether_it_has_a_span_head_or_not(tmp_path: Path, trained: bool) -> None:
    save_tokenizer(tmp_path, "byte_level_bpe")
    config = transformers.GPT2Config(n_layer=1, n_embd=32, n_head=2, vocab_size=500)
    save_model(tmp_path, transformers.GPT2ForQuestionAnswering if trained else transformers.AutoModel, config)
    assert refusal(tmp_path) == (
        f"`model` must be an encoder, whose tokens see what follows them, but {tmp_path} reads from left to right; "
        "use one such as FacebookAI/roberta-base"
    )


def test_pickled_weights(tmp_path: Path) -> None:
    folder = tiny_reader(tmp_path)
    (folder / "model.safetensors").unlink()
    torch.save({}, folder / "pytorch_model.bin")
    assert refusal(folder) == (
        f"`model` must have its weights in safetensors, but {folder} has only the pickle pytorch_model.bin; "
        "convert it with save_pretrained of a trusted copy, or name another checkpoint"
    )


def test_pickled_weights_that_lie_beside_safe_ones_are_never_opened(tmp_path: Path) -> None:
    folder = tiny_reader(tmp_path)
    (folder / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'exit 1'\ntR.")
    assert Reader.load(str(folder), device="cpu", **EXACT).answer(question="q", context="c").status != "failed"


def test_no_weights(tmp_path: Path) -> None:
    folder = tiny_reader(tmp_path)
    (folder / "model.safetensors").unlink()
    assert "in safetensors, but " in refusal(folder)
    assert "has no weights" in refusal(folder)


def truncate_weights(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])


def break_config(folder: Path) -> None:
    (folder / "config.json").write_text("{")


def break_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{")


def remove_tokenizer(folder: Path) -> None:
    for file in folder.glob("tokenizer*"):
        file.unlink()


def remove_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def ask_for_remote_code(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "of_my_own", "auto_map": {"AutoModelForQuestionAnswering": "code.Model"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "code.py").write_text("raise SystemExit('remote code was run')")


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (truncate_weights, "must be a question-answering checkpoint, but .* cannot be loaded"),
        (break_config, "cannot be loaded: .*config.json"),
        (break_tokenizer, "must have a tokenizer, but that of .* cannot be loaded"),
        (remove_tokenizer, "must have a tokenizer"),
        (remove_config, "must be a folder with a config.json, but .* has none"),
        (ask_for_remote_code, "must be a question-answering checkpoint, but .* cannot be loaded"),
    ],
)
def test_a_damaged_checkpoint(damage: Callable[[Path], None], expected: str, tmp_path: Path) -> None:
    damage(tiny_reader(tmp_path))
    assert re.search(expected, refusal(tmp_path))


def test_a_kind_of_model_that_has_no_question_answering(tmp_path: Path) -> None:
    save_tokenizer(tmp_path, "word_piece")
    config = transformers.ViTConfig(
        hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, image_size=32
    )
    save_model(tmp_path, transformers.ViTModel, config)
    line = refusal(tmp_path)
    assert line.startswith(f"`model` must be a question-answering checkpoint, but {tmp_path} cannot be loaded")
    assert "ViTConfig" in line


@pytest.mark.parametrize("ref", ["/nowhere/at/all", "no-such-folder", "a/b/c"])
def test_a_model_that_is_not_there(ref: str) -> None:
    assert refusal(ref).endswith(
        f"must be a folder, the URL of one, a hub id owner/name[@revision] or 'embedded', but {ref!r} is none of them"
    )


def test_a_hub_model_that_cannot_be_fetched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    line = refusal("nobody/nothing@main")
    assert line.startswith(
        "`model` must be a folder or a hub id that can be fetched, but 'nobody/nothing' is no folder"
    )


@pytest.mark.parametrize("tiny_folder", [tiny_reader, tiny_bert])
def test_windows_longer_than_the_models_positions(tiny_folder: Callable[[Path], Path], tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path)
    expected = "`max_tokens` must be at most the model's positions (512), but is 513"
    assert refusal(folder, ConfigError, max_tokens=513) == expected
    assert (
        Reader.load(str(folder), settings=ReadingSettings(max_tokens=512), device="cpu", **EXACT).settings.max_tokens
        == 512
    )


@pytest.mark.parametrize(("tiny_folder", "room"), [(tiny_reader, 316), (tiny_bert, 317)])
def test_a_stride_that_leaves_no_advance(tiny_folder: Callable[[Path], Path], room: int, tmp_path: Path) -> None:
    folder = tiny_folder(tmp_path)
    for stride in (room, 318):
        expected = f"`stride` must be less than the window's room for context ({room}), but is {stride}"
        assert refusal(folder, ConfigError, stride=stride) == expected
    settings = ReadingSettings(stride=room - 1)
    answer = Reader.load(str(folder), settings=settings, device="cpu", **EXACT).answer(
        question="a " * 80, context="a " * 330
    )
    assert answer.status != "failed"


def test_windows_without_room_for_context(tmp_path: Path) -> None:
    line = refusal(tiny_bert(tmp_path), ConfigError, max_tokens=67, max_question_tokens=64, stride=0)
    assert line == "`max_tokens` must be above `max_question_tokens` + special tokens (64 + 3), but is 67"


def test_settings_that_are_wrong_in_two_ways_are_refused_in_two_lines(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        Reader.load(
            str(tiny_bert(tmp_path)), settings=ReadingSettings(max_tokens=600, stride=535), device="cpu", **EXACT
        )
    assert [line.split(" must ")[0] for line in caught.value.problems] == ["`max_tokens`", "`stride`"]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_a_device_that_is_not_there(device: str, tiny_reader_folder: Path) -> None:
    with pytest.raises(ModelError) as caught:
        Reader.load(str(tiny_reader_folder), device=device)
    assert caught.value.problems == (
        f"`device` must be one this machine has, but is {device} and torch finds no CUDA; use cpu or auto",
    )


def test_a_device_and_a_dtype_that_do_not_exist(tiny_reader_folder: Path) -> None:
    with pytest.raises(ModelError, match=r"^`device` must be auto, cpu, cuda, cuda:N or mps, but is 'gpu'$"):
        Reader.load(str(tiny_reader_folder), device="gpu")
    with pytest.raises(ModelError, match=r"^`dtype` must be auto, float32, bfloat16, float16, but is 'int8'$"):
        Reader.load(str(tiny_reader_folder), backend="torch", dtype="int8")


@pytest.mark.parametrize("model_type", ["bert", "roberta"])
def test_a_model_without_the_files_of_its_tokenizer(model_type: str, tmp_path: Path) -> None:
    tiny_model(tmp_path, model_type)
    for path in tokenizer_files(tmp_path):
        path.unlink()
    line = refusal(tmp_path)
    assert line.startswith("`model` must have a tokenizer")
    assert str(tmp_path) in line


def test_a_tokenizer_of_far_fewer_words_than_the_model_has(tmp_path: Path) -> None:
    tiny_model(tmp_path, "bert")
    model = transformers.AutoModelForQuestionAnswering.from_pretrained(tmp_path)
    model.resize_token_embeddings(model.config.vocab_size * 3)
    model.save_pretrained(tmp_path)
    assert "tokenizer and weights are of different models" in refusal(tmp_path)
