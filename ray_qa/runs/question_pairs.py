"""The pairs of context and question that an output of a question set holds, each with an id of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from reprlib import repr as short_repr

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ray_qa.data.schemas import QUESTION_FIELDS, is_text
from ray_qa.records import Question

PAIRS = "pairs of context and question"
"""What a wide output is read as, for messages."""


def pairs_in(
    rows: pa.Schema, questions: Sequence[Question], *, wide: bool, prefix: str, id_column: str
) -> WidePairs | LongPairs | None:
    """How an output's rows are read as pairs whose ids tell them apart; ``None`` if they are that as they are.

    Args:
        rows: the output's columns.
        questions: what every context was asked, if that did not stand in the rows.
        wide: whether each of them has a struct column.
        prefix: what stands before the names of the columns that annotate added.
        id_column: where it is kept, the pair's id stands there: that of the row, a dot, that of the question.
    """
    if wide:
        return WidePairs(wide=rows, prefix=prefix, questions=tuple(questions), id_column=id_column)
    if len(questions) > 1 and id_column in rows.names and _can_be_id(rows.field(id_column).type):
        return LongPairs(long=rows, prefix=prefix, id_column=id_column)
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class LongPairs:
    """How rows are read that are pairs already, of which several have their context's id."""

    long: pa.Schema
    """The output's own."""
    prefix: str
    id_column: str
    each: int = 1
    """How many pairs a row holds."""

    @property
    def schema(self) -> pa.Schema:
        """The columns that pairs have."""
        return pa.schema(
            [field.with_type(pa.string()) if field.name == self.id_column else field for field in self.long]
        )

    def read(self, columns: Sequence[str]) -> list[str]:
        """What of the output is read for those columns of pairs."""
        asked = [self._question_id] if self.id_column in columns else []
        return list(dict.fromkeys([*columns, *asked]))

    def of(self, rows: pa.RecordBatch, columns: Sequence[str]) -> pa.RecordBatch:
        """Those columns of the pairs of some rows, which have what :meth:`read` says."""
        schema = pa.schema([self.schema.field(column) for column in columns])
        return pa.record_batch([self._column(rows, column) for column in columns], schema=schema)

    @property
    def _question_id(self) -> str:
        return f"{self.prefix}{QUESTION_FIELDS[0].name}"

    def _column(self, rows: pa.RecordBatch, column: str) -> pa.Array:
        values = rows.column(column)
        return values if column != self.id_column else _joined(values, rows.column(self._question_id))


@dataclass(frozen=True, slots=True, kw_only=True)
class WidePairs:
    """How the rows of a wide output are read as pairs, context by context."""

    wide: pa.Schema
    """The output's own, with a struct column for each question."""
    prefix: str
    """What stands before the names of the columns that annotate added."""
    questions: tuple[Question, ...]
    id_column: str

    @property
    def each(self) -> int:
        """How many pairs a row holds."""
        return len(self.questions)

    @property
    def schema(self) -> pa.Schema:
        """The columns that pairs have; a kept one that bears the name of an answer's is left out."""
        added = [*self._asked, *self._answer]
        others = {self.prefix + question.id for question in self.questions} | {field.name for field in added}
        kept = [
            field.with_type(pa.string()) if self._is_id(field) else field
            for field in self.wide
            if field.name not in others
        ]
        return pa.schema([*kept, *added])

    def read(self, columns: Sequence[str]) -> list[str]:
        """What of the output is read for those columns of pairs, as Parquet calls it."""
        return list(dict.fromkeys(path for column in columns for path in self._paths(column)))

    def of(self, rows: pa.RecordBatch, columns: Sequence[str]) -> pa.RecordBatch:
        """Those columns of the pairs of some rows, which have what :meth:`read` says."""
        schema = pa.schema([self.schema.field(column) for column in columns])
        return pa.record_batch([self._column(rows, field) for field in schema], schema=schema)

    @property
    def _asked(self) -> list[pa.Field]:
        return [field.with_name(self.prefix + field.name) for field in QUESTION_FIELDS]

    @property
    def _answer(self) -> list[pa.Field]:
        answer = self.wide.field(self.prefix + self.questions[0].id).type
        return [field.with_name(self.prefix + field.name) for field in answer]

    def _is_id(self, field: pa.Field) -> bool:
        return field.name == self.id_column and _can_be_id(field.type)

    def _paths(self, column: str) -> Iterator[str]:
        structs = [self.prefix + question.id for question in self.questions]
        if column in {field.name for field in self._asked}:
            yield f"{structs[0]}.status"  # small, and tells how many rows there are
        elif column in {field.name for field in self._answer}:
            yield from (f"{struct}.{column.removeprefix(self.prefix)}" for struct in structs)
        else:
            yield column

    def _column(self, rows: pa.RecordBatch, field: pa.Field) -> pa.Array:
        asked, there = len(self.questions), rows.num_rows
        of_id, of_text = (each.name for each in self._asked)
        if field.name in (of_id, of_text):
            values = [each.id if field.name == of_id else each.text for each in self.questions]
            return pa.array(values, field.type).take(pa.array(np.tile(np.arange(asked), there)))
        if field.name in {each.name for each in self._answer}:
            name = field.name.removeprefix(self.prefix)
            answers = pa.concat_arrays([_field(rows.column(self.prefix + each.id), name) for each in self.questions])
            return answers.take(pa.array(np.arange(asked * there).reshape(asked, there).T.ravel()))
        repeated = rows.column(field.name).take(pa.array(np.repeat(np.arange(there), asked)))
        if not self._is_id(self.wide.field(field.name)):
            return repeated
        return _joined(repeated, self._column(rows, self._asked[0]))


def row_batches(
    part: pq.ParquetFile, columns: Sequence[str], rows: int, pairs: WidePairs | LongPairs | None
) -> Iterator[pa.RecordBatch]:
    """Those columns of a part's rows, or of its pairs where ``pairs`` is given; about ``rows`` at a time."""
    if pairs is None:
        yield from part.iter_batches(batch_size=rows, columns=list(columns))
        return
    for batch in part.iter_batches(batch_size=max(1, rows // pairs.each), columns=pairs.read(columns)):
        yield pairs.of(batch, columns)


def made_of(pair_id: str, questions: Sequence[Question]) -> str:
    """Which rows and questions make the id of a pair that comes twice, and what to do, to go on a message."""
    ends = [(pair_id.removesuffix(f".{each.id}"), each.id) for each in questions if pair_id.endswith(f".{each.id}")]
    if not ends:
        return ""
    makers = " and of ".join(f"row {short_repr(row)} with question {short_repr(asked)}" for row, asked in ends[:3])
    if len(ends) == 1:
        return f", the id of {makers}; name a column that has every id once with --id-column"
    return f", the id of {makers}; name another column with --id-column, or annotate with ids of questions without dots"


def _can_be_id(kind: pa.DataType) -> bool:
    return bool(is_text(kind) or pa.types.is_integer(kind))


def _joined(row_ids: pa.Array, question_ids: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise(row_ids.cast(pa.string()), question_ids.cast(pa.string()), ".")


def _field(structs: pa.StructArray, name: str) -> pa.Array:
    """A field of structs that may be null themselves."""
    return structs.flatten()[structs.type.get_field_index(name)]
