"""The forms in which rows come, as the names of their files tell: Parquet, and what is brought into Parquet first."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Form = Literal["parquet", "jsonl", "csv", "tsv", "arrow", "json"]
_FORMS: dict[str, Form] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".arrow": "arrow",
    ".feather": "arrow",
}
_COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
PARQUET = (".parquet", ".pq")
ALL = (*_FORMS, *map("".join, itertools.product(_FORMS, _COMPRESSIONS)))
"""How the names of files end that rows are read from."""
ANY = ("",)
"""How all names end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileForm:
    """What a file is, and how it is compressed as a whole, in Arrow's word."""

    form: Form
    compression: str | None = None

    @property
    def is_parquet(self) -> bool:
        """Whether it can be read as it is, in any order."""
        return self.form == "parquet" and self.compression is None


def form_of(name: str) -> FileForm:
    """The form of a file by its name; Parquet where that does not tell."""
    plain = name.lower().removesuffix(_ending(name))
    form = next((form for suffix, form in _FORMS.items() if plain.endswith(suffix)), None)
    if form is None:
        return FileForm(form="parquet")
    return FileForm(form=form, compression=compression_of(name))


def compression_of(name: str) -> str | None:
    """How a file of any form is compressed as a whole by its name, in Arrow's word."""
    return _COMPRESSIONS.get(_ending(name))


def _ending(name: str) -> str:
    return next((each for each in _COMPRESSIONS if name.lower().endswith(each)), "")


def has_suffix(name: str, suffixes: Sequence[str]) -> bool:
    """Whether a name ends in one of the suffixes, in any case."""
    return name.lower().endswith(tuple(suffixes))
