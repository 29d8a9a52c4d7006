from __future__ import annotations

from pathlib import Path

import huggingface_hub
import huggingface_hub.constants
import pytest
from huggingface_hub.errors import HFValidationError

from ray_qa.errors import ModelError
from ray_qa.reader.model_files import EMBEDDED, ModelFiles, find_model


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that looks like a model; nothing in it is ever loaded."""
    for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "vocab.txt"):
        (tmp_path / name).write_text(name)
    return tmp_path


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """As ``HF_HUB_OFFLINE=1`` does, with nothing in the cache."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path_factory.mktemp("hub")))


def refusal(ref: str) -> str:
    with pytest.raises(ModelError) as caught:
        find_model(ref)
    (line,) = caught.value.problems
    assert "\n" not in line
    return line


def test_the_embedded_model_is_in_the_package_and_its_fingerprints_are_stable() -> None:
    found = find_model("embedded")
    assert (found.ref, found.folder) == ("embedded", EMBEDDED)
    assert found == find_model("embedded")
    assert len({found.weights_sha256, found.tokenizer_sha256}) == 2
    by_path = find_model(str(EMBEDDED))
    assert by_path.ref == str(EMBEDDED)
    assert (by_path.weights_sha256, by_path.tokenizer_sha256) == (found.weights_sha256, found.tokenizer_sha256)


def test_a_folder_may_be_named_in_any_way_and_is_known_by_its_whole_path(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    monkeypatch.setenv("HOME", str(folder.parent))
    for ref in (str(folder), folder.name, f"./{folder.name}", f"~/{folder.name}", f"{folder.name}/../{folder.name}"):
        found = find_model(ref)
        assert (found.ref, found.folder) == (str(folder), folder)


@pytest.mark.parametrize(
    ("name", "weights_differ", "tokenizer_differs"),
    [
        ("config.json", True, False),
        ("model.safetensors", True, False),
        ("more.safetensors", True, False),
        ("tokenizer.json", False, True),
        ("vocab.txt", False, True),
        ("spiece.model", False, True),
        ("sentencepiece.bpe.model", False, True),
        ("merges.txt", False, True),
        ("special_tokens_map.json", False, True),
        ("trainer_state.json", False, False),
        ("requirements.txt", False, False),
        ("README.md", False, False),
        ("model.safetensors.index.json", False, False),
        ("modeling.py", False, False),
    ],
)
def test_a_fingerprint_tells_what_has_changed(
    folder: Path, name: str, weights_differ: bool, tokenizer_differs: bool
) -> None:
    before = find_model(str(folder))
    (folder / name).write_text("changed")
    after = find_model(str(folder))
    assert (before.weights_sha256 != after.weights_sha256) == weights_differ
    assert (before.tokenizer_sha256 != after.tokenizer_sha256) == tokenizer_differs


def test_a_copy_elsewhere_is_the_same_model(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    copy = tmp_path_factory.mktemp("copy")
    for path in folder.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    first, second = find_model(str(folder)), find_model(str(copy))
    assert first == ModelFiles(
        ref=str(folder),
        folder=folder,
        weights_sha256=second.weights_sha256,
        tokenizer_sha256=second.tokenizer_sha256,
    )


@pytest.mark.parametrize("pickle", ["pytorch_model.bin", "model.pt", "model.pth", "last.ckpt"])
def test_a_folder_with_pickled_weights_only_is_refused(folder: Path, pickle: str) -> None:
    (folder / "model.safetensors").rename(folder / pickle)
    assert refusal(str(folder)).startswith(
        f"`model` must have its weights in safetensors, but {folder} has only the pickle {pickle}; convert it"
    )


def test_pickles_beside_safetensors_do_no_harm(folder: Path) -> None:
    before = find_model(str(folder))
    (folder / "pytorch_model.bin").write_bytes(b"never opened")
    assert find_model(str(folder)) == before


def test_a_folder_without_weights_or_configuration_is_refused(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    assert f"but {folder} has no weights; " in refusal(str(folder))
    (folder / "config.json").unlink()
    assert refusal(str(folder)) == f"`model` must be a folder with a config.json, but {folder} has none"


@pytest.mark.parametrize(
    "ref", ["nowhere", "/nowhere/model", "./no/where", "a/b/c", "owner/", "/name", "~/nowhere", ""]
)
def test_what_is_neither_a_folder_nor_a_hub_id_is_refused(
    ref: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    line = refusal(ref)
    assert line.startswith("`model` must be a folder")
    assert "that can be fetched" not in line


def test_a_file_is_no_model(folder: Path) -> None:
    assert "or 'embedded', but" in refusal(str(folder / "config.json"))


@pytest.mark.parametrize("ref", ["owner/name", "owner/name@main", "deepset/roberta-base-squad2@abc123"])
def test_a_hub_id_that_cannot_be_fetched_is_refused_in_one_line(ref: str) -> None:
    line = refusal(ref)
    name = ref.partition("@")[0]
    assert line.startswith(
        f"`model` must be a folder or a hub id that can be fetched, but {name!r} is no folder here, and the hub gave: "
    )
    assert len(line) < 500


def test_a_hub_id_becomes_the_commit_it_led_to(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str | None, bool]] = []

    def snapshot_download(name: str, *, revision: str | None, allow_patterns: list[str]) -> str:
        asked.append((name, revision, any("bin" in pattern or "py" in pattern for pattern in allow_patterns)))
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    assert find_model("owner/name").ref == find_model("owner/name@v2").ref == f"owner/name@{folder.name}"
    assert asked == [("owner/name", None, False), ("owner/name", "v2", False)]


def test_an_empty_reason_of_the_hub_is_told_by_its_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    def snapshot_download(*_: object, **__: object) -> str:
        raise HFValidationError("")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    assert refusal("owner/name").endswith("and the hub gave: HFValidationError")
