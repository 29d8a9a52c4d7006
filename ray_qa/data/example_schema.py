"""What rows with gold answers are brought to, and what is wrong with those that cannot be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

ANSWERS = pa.struct([("text", pa.list_(pa.string())), ("answer_start", pa.list_(pa.int64()))])
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("question", pa.string()),
        ("context", pa.string()),
        ("answers", ANSWERS),
        ("malformed", pa.string()),
    ]
)
"""``malformed`` says why a row cannot be used as it stands, and is null in all others."""
CHUNK_ROWS = 2_048

Setting = Literal["train", "eval"]
"""What errors are about."""
Malformed = Literal[
    "line_not_json",
    "row_not_object",
    "question_not_text",
    "question_not_unicode",
    "context_not_text",
    "context_not_unicode",
    "answers_malformed",
]
"""Why a row cannot be used: its line is no JSON, or no object; a text is none, or no UTF-8; its answers are not as many
texts as places."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleColumns:
    """What the columns, or keys, of the rows are called; SQuAD JSON has names of its own."""

    question: str = "question"
    context: str = "context"
    answers: str = "answers"


@dataclass(frozen=True, slots=True, kw_only=True)
class MalformedRow:
    """Where a row lies that cannot be used, as people count, and what it has."""

    where: str
    reason: Malformed
    found: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Rows of ``SCHEMA``, in order, and the first of them that is malformed."""

    rows: pa.Table
    first_malformed: MalformedRow | None = None

    @property
    def malformed(self) -> int:
        """How many rows cannot be used."""
        return int(pc.count(self.rows["malformed"]).as_py())
