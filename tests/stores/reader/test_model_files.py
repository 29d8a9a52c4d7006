from __future__ import annotations

from pathlib import Path

import pytest

from ray_qa.errors import ModelError
from ray_qa.reader.model_files import find_model, model_here
from ray_qa.storage import objects
from ray_qa.storage.remote import Remote


@pytest.fixture
def model(folder: Remote, tiny_reader_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Remote:
    """A model in the bucket, beside things that are none of it, and an empty cache."""
    monkeypatch.setenv("RAY_QA_CACHE", str(tmp_path / "cache"))
    for path in tiny_reader_folder.iterdir():
        objects.publish(folder / "model" / path.name, path.read_bytes())
    objects.publish(folder / "model" / "pytorch_model.bin", b"a pickle")
    objects.publish(folder / "model" / "checkpoints" / "model.safetensors", b"another")
    return folder / "model"


def test_a_model_in_a_bucket_is_fetched_once_and_is_the_same_as_in_a_folder(
    model: Remote, tiny_reader_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = find_model(str(tiny_reader_folder)), find_model(str(model))
    assert (there.weights_sha256, there.tokenizer_sha256) == (here.weights_sha256, here.tokenizer_sha256)
    assert there.ref == str(model)
    assert {path.name for path in there.folder.iterdir()} <= {path.name for path in tiny_reader_folder.iterdir()}
    monkeypatch.setattr(objects, "download", lambda *_: pytest.fail("was fetched again"))
    assert find_model(str(model)) == there
    assert model_here(there) == there


def test_another_model_at_the_same_place_is_noticed(model: Remote, tiny_reader_folder: Path) -> None:
    before = find_model(str(model))
    weights = (tiny_reader_folder / "model.safetensors").read_bytes()
    objects.publish(model / "model.safetensors", weights[:-1] + bytes([weights[-1] ^ 1]))
    assert find_model(str(model)).weights_sha256 != before.weights_sha256
    model_here.cache_clear()
    with pytest.raises(ModelError, match="must be the same on every node"):
        model_here(before)


def test_a_place_without_a_model_is_refused(model: Remote) -> None:
    with pytest.raises(ModelError) as refused:
        find_model(str(model / "nothing"))
    assert (
        str(refused.value) == f"`model` must be a folder with a config.json, but {model}/nothing has no file of a model"
    )
