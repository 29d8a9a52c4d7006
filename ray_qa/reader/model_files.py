"""Finding a model's files and telling one model from another, without loading it."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from ray_qa.errors import ModelError, first_line
from ray_qa.reader.calibration import CALIBRATION_FILE
from ray_qa.reader.model_cache import CACHE, cache_folder, kept
from ray_qa.storage import objects
from ray_qa.storage.remote import Remote, is_url, place_of
from ray_qa.storage.scratch import fetch

EMBEDDED = Path(__file__).parents[1] / "assets" / "embedded" / "model"
TOKENIZER = (
    "tokenizer*.json", "special_tokens_map.json", "added_tokens.json", "*vocab*.json", "*vocab*.txt", "merges.txt",
    "*.model", "bpe.codes",
)  # fmt: skip
WANTED = ("*.safetensors", "*.safetensors.index.json", "config.json", CALIBRATION_FILE, "README.md", *TOKENIZER)
"""Weights, configuration, calibration, card and tokenizer files; never pickles, never code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFiles:
    """A model on this machine. ``ref`` leads to the same model from every node (a hub id carries its commit); what lies
    in a bucket is fetched once a machine."""

    ref: str
    folder: Path
    weights_sha256: str
    tokenizer_sha256: str


def find_model(ref: str) -> ModelFiles:
    """Resolve a model reference: ``embedded``, a folder, its URL in a bucket, or a hub id ``owner/name[@revision]``.

    Raises:
        ModelError: if there is no such model, it has no configuration, or its weights are not safetensors.
        ConfigError, StorageError: if its URL is none that can be read, or its bucket cannot be reached.
    """
    folder, ref = _locate(ref)
    if not (folder / "config.json").is_file():
        raise ModelError(f"`model` must be a folder with a config.json, but {folder} has none")
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        pickles = sorted(path.name for pattern in ("*.bin", "*.pt", "*.pth", "*.ckpt") for path in folder.glob(pattern))
        found = f"only the pickle {pickles[0]}" if pickles else "no weights"
        raise ModelError(
            f"`model` must have its weights in safetensors, but {folder} has {found}; "
            "convert it with save_pretrained of a trusted copy, or name another checkpoint"
        )
    return ModelFiles(
        ref=ref,
        folder=folder,
        weights_sha256=digest_of_files([folder / "config.json", *weights]),
        tokenizer_sha256=digest_of_files(tokenizer_files(folder)),
    )


def model_kind(folder: Path) -> str:
    """What a model's configuration says it is, such as ``roberta``; "" where it does not say."""
    try:
        configuration = json.loads((folder / "config.json").read_bytes())
    except ValueError:  # whoever loads the model will say so
        return ""
    return str(configuration.get("model_type", "")) if isinstance(configuration, dict) else ""


@functools.lru_cache(maxsize=1)
def model_here(model: ModelFiles) -> ModelFiles:
    """The model as this node has it, which must be the one the run was planned with.

    Raises:
        ModelError: if it is not, or is not there.
    """
    here = find_model(model.ref)
    _check_same(model, here.weights_sha256 == model.weights_sha256 and here.tokenizer_sha256 == model.tokenizer_sha256)
    return here


@functools.lru_cache(maxsize=1)
def tokenizer_here(model: ModelFiles) -> Path:
    """The folder of the model's tokenizer on this node, which must be the one the run was planned with.

    Raises:
        ModelError: if it is not, or is not there.
    """
    folder = _locate(model.ref)[0]
    _check_same(model, digest_of_files(tokenizer_files(folder)) == model.tokenizer_sha256)
    return folder


def _check_same(model: ModelFiles, same: bool) -> None:
    if not same:
        raise ModelError(f"`model` must be the same on every node, but {model.ref} on {os.uname().nodename} differs")


def tokenizer_files(folder: Path) -> list[Path]:
    """What makes up the tokenizer, whichever of its forms are there."""
    return sorted({path for pattern in TOKENIZER for path in folder.glob(pattern)})


def _locate(ref: str) -> tuple[Path, str]:
    if ref == "embedded":
        return EMBEDDED, ref
    if is_url(ref):
        place = place_of(ref, "model")
        return (_fetch(place), str(place)) if isinstance(place, Remote) else _locate(str(place))
    folder = Path(ref).expanduser()
    if folder.is_dir():
        return folder.resolve(), str(folder.resolve())
    name, _, revision = ref.partition("@")
    if folder.exists() or len(name.split("/")) != 2 or not all(name.split("/")) or name.startswith((".", "~")):
        raise ModelError(
            "`model` must be a folder, the URL of one, a hub id owner/name[@revision] or 'embedded', but "
            f"{ref!r} is none of them"
        )
    return _download(name, revision or None)


def _fetch(place: Remote) -> Path:
    """The folder with the model's files that lie below a place, fetched unless the very same are here."""
    found = [
        each
        for each in objects.list_below(place)
        if each.place.parent == place and any(fnmatch(each.place.name, pattern) for pattern in WANTED)
    ]
    if not found:
        raise ModelError(f"`model` must be a folder with a config.json, but {place} has no file of a model")

    key = [str(place), *([each.place.name, each.size, each.version] for each in found)]
    try:
        return kept("models", key, lambda folder: fetch(found, folder))
    except OSError as error:
        raise ModelError(
            f"`{CACHE}` must name a folder that {place} can be fetched into, but {cache_folder()} gives: "
            f"{first_line(error)}"
        ) from error


def _download(name: str, revision: str | None) -> tuple[Path, str]:
    """The folder of a hub's model, which the hub's own locks let one process of a machine fetch, and its commit."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()
    try:
        folder = Path(snapshot_download(name, revision=revision, allow_patterns=list(WANTED)))
    except Exception as error:  # huggingface_hub raises what its HTTP client does, too
        raise ModelError(
            f"`model` must be a folder or a hub id that can be fetched, but {name!r} is no folder here, "
            f"and the hub gave: {_without_secrets(first_line(error))}"
        ) from None  # whose own words may hold the token
    return folder, f"{name}@{folder.name}"


def _without_secrets(reason: str) -> str:
    """Without the token of the hub, and without what signs a link."""
    from huggingface_hub import get_token

    token = get_token()
    for form in (token, repr(token)[1:-1]) if token else ():
        reason = reason.replace(form, "…")
    return re.sub(r"(https?://[^\s?]+)\?\S+", r"\1", reason)


def digest_of_files(paths: list[Path]) -> str:
    """A digest of what files are called and hold.

    Raises:
        ModelError: if one from the hub does not hold what the hub has.
    """
    digest = hashlib.sha256()
    for path in paths:
        with path.open("rb") as stream:
            content = hashlib.file_digest(stream, "sha256").hexdigest()
        blob = path.resolve()  # the hub's cache calls large files by their digest, and links to them
        if blob.parent.name == "blobs" and re.fullmatch(r"[0-9a-f]{64}", blob.name) and blob.name != content:
            raise ModelError(f"`model` must be as the hub has it, but {blob} is damaged; remove it to fetch it again")
        digest.update(json.dumps([path.name, content]).encode())
    return digest.hexdigest()
