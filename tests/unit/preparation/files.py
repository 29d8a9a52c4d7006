"""Rows with gold answers, for tests of prepare: texts where the units of places differ, as files, and prepared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from hypothesis import strategies as st

from ray_qa.data.offset_units import OffsetUnit
from ray_qa.preparation.config import PrepareConfig
from ray_qa.preparation.prepare import prepare
from ray_qa.preparation.summary import PreparedSummary

ENCODINGS: dict[OffsetUnit, tuple[str, int]] = {
    "code_points": ("utf-32-le", 4),
    "utf16_units": ("utf-16-le", 2),
    "utf8_bytes": ("utf-8", 1),
}
CHARACTERS = "ab é東京🙂👩‍👩‍👧\u0301\U00020000\n"
CONTEXTS = st.text(CHARACTERS, min_size=1, max_size=30)
ANCHOR = "🙂é東 and here it stands"
"""A context in which the units can be told apart: only one of them leads to its last word."""


def counted_in(context: str, start: int, unit: OffsetUnit) -> int:
    """A place in code points, counted in another unit."""
    encoding, width = ENCODINGS[unit]
    return len(context[:start].encode(encoding)) // width


def row(number: int, context: str, *answers: tuple[str, int | None]) -> dict[str, Any]:
    texts, places = [text for text, _ in answers], [place for _, place in answers]
    return {
        "id": f"q{number}",
        "question": "?",
        "context": context,
        "answers": {"text": texts, "answer_start": places},
    }


def jsonl(path: Path, rows: list[dict[str, Any]]) -> str:
    path.write_text("\n".join(json.dumps(each) for each in rows), encoding="utf-8")
    return str(path)


def prepared(folder: Path, *inputs: str | Path, **settings: Any) -> PreparedSummary:
    """Prepare files into a folder."""
    return prepare(PrepareConfig(input=tuple(map(str, inputs)), output=str(folder), **settings))


def rows_in(folder: Path) -> list[dict[str, Any]]:
    """The rows of an output's parts, in the order of their names."""
    return [each for part in sorted(folder.glob("part-*.parquet")) for each in pq.read_table(part).to_pylist()]


def set_apart_in(folder: Path) -> list[dict[str, Any]]:
    """The rows that an output has set apart."""
    files = sorted((folder / ".ray_qa" / "set-apart").glob("*.parquet"))
    return [each for file in files for each in pq.read_table(file).to_pylist()]


GOOD = row(0, "a red dog", ("red", 2))
NEAR = row(1, "a red dog", ("red", 5))
NOWHERE = row(2, "a red dog", ("cat", 2))
TWICE = row(3, "a dog, a dog", ("dog", 0))
WITHOUT = row(4, "a red dog")
EMPTY = row(5, "a red dog", ("", 0))
ALL = [GOOD, NEAR, NOWHERE, TWICE, WITHOUT, EMPTY]
