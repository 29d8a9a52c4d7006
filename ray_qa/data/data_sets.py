"""The data sets of ``datasets``: folders that its ``save_to_disk`` wrote, and names that it fetches from a hub."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ray_qa.data.file_kinds import is_saved_data_set
from ray_qa.data.row_forms import ALL, has_suffix
from ray_qa.errors import InputError, first_line

if TYPE_CHECKING:
    from datasets import Dataset, IterableDataset

NAME = re.compile(r"([\w.-]+(?:/[\w.-]+)?)(?::([\w.-]+))?")
HUB = "hf://datasets/"
_HUB = re.compile(r"hf://datasets/([\w.-]+/[\w.-]+?)(?:@([\w./~^-]+?))?(?:/(.+))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedDataSet:
    """A folder that ``save_to_disk`` wrote, and the split to read of it, if one is named."""

    folder: Path
    split: str | None


def saved_data_set(source: str) -> SavedDataSet | None:
    """The saved data set that ``FOLDER`` or ``FOLDER:SPLIT`` leads to, if it does."""
    whole = Path(source).expanduser()
    if is_saved_data_set(whole):
        return SavedDataSet(folder=whole, split=None)
    before, _, split = source.rpartition(":")
    folder = Path(before).expanduser()
    return SavedDataSet(folder=folder, split=split) if before and is_saved_data_set(folder) else None


def is_data_set(source: str) -> bool:
    """Whether a source is the name of a data set, ``NAME`` or ``NAME:SPLIT``, or one's place on the hub, rather than
    files."""
    if source.startswith(HUB):
        return True
    return NAME.fullmatch(source) is not None and not (
        Path(source).exists() or has_suffix(source, ALL) or saved_data_set(source)
    )


def open_saved(saved: SavedDataSet, setting: str, *, default: str | None = "train") -> Dataset:
    """The rows of a saved data set.

    Args:
        saved: where it lies.
        setting: what named it, for messages.
        default: the split to read of several where none is named; ``None`` if one must be.

    Raises:
        InputError: if it cannot be read, or has no such split.
    """
    import datasets

    try:
        rows = datasets.load_from_disk(str(saved.folder), keep_in_memory=False)
    except Exception as error:  # datasets raises what its files provoke
        raise InputError(
            f"`{setting}` must be a data set that can be read, but {saved.folder} gives: {first_line(error)}"
        ) from error
    if not isinstance(rows, datasets.DatasetDict):
        return rows
    splits, split = ", ".join(sorted(rows)), saved.split or default
    if split is None:
        raise InputError(f"`{setting}` must name a split, {saved.folder}:SPLIT, one of {splits}, but names none")
    if split not in rows:
        raise InputError(f"`{setting}` must name a split of {saved.folder} ({splits}), but it has no {split!r}")
    return rows[split]


def open_named(source: str, setting: str, *, streaming: bool = False) -> Dataset | IterableDataset:
    """The rows of a data set that ``datasets`` finds by its name; of its split ``train`` unless another is named.

    Args:
        source: ``NAME``, ``NAME:SPLIT``, or ``hf://datasets/OWNER/NAME[@REVISION][/FILES]``.
        setting: what named it, for messages.
        streaming: fetch rows as they are read, instead of all of them into the cache first.

    Raises:
        InputError: if it cannot be found or fetched.
    """
    import datasets
    from huggingface_hub.utils import logging

    datasets.disable_progress_bars()
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]  # it tells of every try
    try:
        return datasets.load_dataset(**_where(source), streaming=streaming)
    except Exception as error:  # datasets raises what its hub, its files and its builders do
        raise InputError(
            f"`{setting}` must be files, folders, globs or data sets that can be fetched, but {source!r} is no file "
            f"here, and datasets gave: {first_line(error)}"
        ) from error


def _where(source: str) -> dict[str, str | None]:
    if found := _HUB.fullmatch(source):
        return {"path": found[1], "revision": found[2], "data_files": found[3], "split": "train"}
    match = NAME.fullmatch(source)
    if match is None:
        raise ValueError("hf://datasets/OWNER/NAME[@REVISION][/FILES] is how a data set of the hub is named")
    return {"path": match[1], "split": match[2] or "train"}
