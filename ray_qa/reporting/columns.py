"""Which columns of an output the report reads."""

from __future__ import annotations

from dataclasses import dataclass

from ray_qa.data.gold import ANSWERS
from ray_qa.runs.annotated_rows import Source

ADDED = (
    "answer", "span", "start", "end", "start_score", "end_score", "null_score", "confidence", "status", "reason",
    "windows",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Names of columns in the output; what it does not have is ``None``."""

    id: str | None
    """That tells rows or pairs apart."""
    question: str | None
    context: str | None
    question_id: str | None
    """Where every context was asked a set of questions."""
    answers: str | None
    """Gold answers that were kept."""
    prefix: str

    def ours(self, name: str) -> str:
        """The name of a column that annotate added."""
        return f"{self.prefix}{name}"

    @property
    def read(self) -> list[str]:
        """All of them."""
        own = (self.id, self.question, self.context, self.question_id, self.answers)
        return [*dict.fromkeys([*(name for name in own if name is not None), *map(self.ours, ADDED)])]


def columns_of(source: Source, *, id_column: str = "id", keeps_gold: bool) -> Columns:
    """The columns of an output in long form, and those of gold answers that it has kept."""
    settings = source.output.settings
    asks_a_set = source.output.asks_a_set

    def there(name: str) -> str | None:
        return name if name in source.schema.names else None

    return Columns(
        id=there(id_column),
        question=there(source.ours("question") if asks_a_set else str(settings.get("question_column", "question"))),
        context=there(str(settings.get("context_column", "context"))),
        question_id=there(source.ours("question_id")) if asks_a_set else None,
        answers=ANSWERS if keeps_gold else None,
        prefix=source.ours(""),
    )
