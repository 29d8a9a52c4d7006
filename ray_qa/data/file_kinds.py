"""What a file is that is not the kind that was asked for, in words, so that its owner knows what to do."""

from __future__ import annotations

from pathlib import Path

from ray_qa.storage.places import open_input
from ray_qa.storage.remote import place_of

_SIGNS = (
    (b"ARROW1", "an Arrow (Feather) file; write it as Parquet, with pyarrow.feather and pyarrow.parquet"),
    (b"\x1f\x8b", "compressed with gzip; unpack it"),
    (b"\x28\xb5\x2f\xfd", "compressed with Zstandard; unpack it"),
    (b"PK\x03\x04", "a ZIP archive; unpack it"),
)
_NAMES = {
    ".csv": "CSV; write it as Parquet, with pyarrow.csv and pyarrow.parquet",
    ".tsv": "CSV; write it as Parquet, with pyarrow.csv and pyarrow.parquet",
    ".json": "JSON; write it as Parquet, with pyarrow.json and pyarrow.parquet",
    ".jsonl": "JSON; write it as Parquet, with pyarrow.json and pyarrow.parquet",
}
_TEXTS = (".txt", ".text", ".md", ".rst")


def is_saved_data_set(folder: Path) -> bool:
    """Whether ``save_to_disk`` of ``datasets`` wrote a folder: one data set, or one for each split."""
    one = all((folder / name).is_file() for name in ("state.json", "dataset_info.json"))
    return one or (folder / "dataset_dict.json").is_file()


def instead_of_parquet(path: str) -> str | None:
    """What a file is that is no Parquet, and what to do about it; ``None`` where that cannot be told."""
    if Path(path.lower().removesuffix(".gz").removesuffix(".zst")).suffix in _TEXTS:
        return "a text; give --context-from files where each file is a context, or bring it into rows"
    try:
        with open_input(place_of(path, "input")) as stream:
            start = stream.read(8)
    except OSError:
        return None
    for sign, kind in _SIGNS:
        if start.startswith(sign):
            return kind
    return _NAMES.get(Path(path).suffix.lower())
