"""Small corpora for the cluster tests: plain ones of any size, and one with everything that can go wrong with a row."""

from __future__ import annotations

import datetime
import random
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ray_qa.records import Reason
from ray_qa.settings import MAX_CONTEXT_CHARS

POISON = "ꙮ"
"""No other text here has its first byte, whose token has weights that are not numbers in ``poisoned_reader``."""
TEXT = (
    "the river rose by three metres and carried away an old bridge at Ulm in 1815 while people slept "
    "café 東京 e\u0301 👩\u200d👩\u200d👧 Москва dog fox puppet lazy jumps over quick brown"
)


def plain(rows: int, *, seed: int = 0, words: int = 60) -> pa.Table:
    """Rows with an id, a question and a context of so many words."""
    draw = random.Random(seed)
    return pa.table(
        {
            "id": pa.array(range(rows), pa.int64()),
            "question": [f"who {' '.join(draw.choices(TEXT.split(), k=4))}?" for _ in range(rows)],
            "context": [" ".join(draw.choices(TEXT.split(), k=words)) for _ in range(rows)],
        }
    )


def write(path: Path, table: pa.Table, *, row_group_size: int | None = None) -> Path:
    """Write a Parquet file and the folders above it; gives its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=row_group_size)
    return path


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRow:
    """Texts as bytes, which may be no UTF-8, and why the row fails."""

    question: bytes | None
    context: bytes | None
    reason: Reason


BAD_FOR_ANY_MODEL = (
    BadRow(question=None, context=b"A nice puppet.", reason="question_missing"),
    BadRow(question=b"", context=b"A nice puppet.", reason="question_empty"),
    BadRow(question=b" \t\n", context=b"A nice puppet.", reason="question_empty"),
    BadRow(question=b"caf\xe9?", context=b"A nice puppet.", reason="question_not_unicode"),
    BadRow(question=b"Who?", context=None, reason="context_missing"),
    BadRow(question=b"Who?", context=b"", reason="context_empty"),
    BadRow(question=b"Who?", context=" \r\n\u3000".encode(), reason="context_empty"),
    BadRow(question=b"Who?", context=b"a nice caf\xe9 in town", reason="context_not_unicode"),
    BadRow(question=None, context=None, reason="question_missing"),
)
TOO_LONG = BadRow(question=b"Who?", context=b"a" * (MAX_CONTEXT_CHARS + 1), reason="context_too_long")
NOT_FINITE = BadRow(question=b"Who?", context=f"one {POISON} two".encode(), reason="not_finite")
BAD_FOR_WORD_PIECE = (
    BadRow(question=b"\x00\x01", context=b"A nice puppet.", reason="question_no_text"),
    BadRow(question=b"Who?", context=b"\x00\x01\x02", reason="context_no_text"),
)
"""A WordPiece tokenizer drops control characters, so these texts leave it nothing."""


def good_and_bad(bad: tuple[BadRow, ...], *, good: int) -> pa.Table:
    """Good rows, then bad ones, with columns of many types beside them; ``expected`` holds each row's reason."""
    rows = plain(good, seed=7, words=25)
    questions = [*(text.encode() for text in rows["question"].to_pylist()), *(row.question for row in bad)]
    contexts = [*(text.encode() for text in rows["context"].to_pylist()), *(row.context for row in bad)]
    expected = [None] * good + [row.reason for row in bad]
    numbers = range(len(questions))
    moment = datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.UTC)
    return pa.table(
        {
            "id": pa.array(numbers, pa.uint16()),
            "expected": pa.array(expected, pa.string()),
            "question": pa.array(questions, pa.binary()).view(pa.string()).dictionary_encode(),
            "tags": pa.array([[f"tag {number % 3}"] * (number % 3) for number in numbers], pa.list_(pa.string())),
            "note": pa.array([None if number % 4 else f"note {number}" for number in numbers], pa.string_view()),
            "context": pa.array(contexts, pa.large_binary()).view(pa.large_string()),
            "when": pa.array([moment + datetime.timedelta(days=number) for number in numbers]),
            "place": pa.array([{"page": number, "side": "left"} for number in numbers]),
            "nothing": pa.nulls(len(questions), pa.float32()),
        }
    )


def as_views(table: pa.Table) -> pa.Table:
    """The same rows with questions and contexts as string views."""
    for name in ("question", "context"):
        column = table[name]
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        binary = column.combine_chunks().view(pa.large_binary() if column.type == pa.large_string() else pa.binary())
        views = binary.cast(pa.binary_view()).view(pa.string_view())
        table = table.set_column(table.schema.get_field_index(name), name, views)
    return table
