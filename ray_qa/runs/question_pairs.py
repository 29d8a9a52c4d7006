"""The pairs of a wide output: a row for each context and question, as annotate writes them without ``--wide``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ray_qa.data.schemas import QUESTION_FIELDS, is_text
from ray_qa.records import Question


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """How the rows of a wide output are read as pairs, context by context."""

    wide: pa.Schema
    """The output's own, with a struct column for each question."""
    prefix: str
    """What stands before the names of the columns that annotate added."""
    questions: tuple[Question, ...]
    id_column: str
    """Where it is kept, the pair's id stands there: that of the row, a dot, that of the question."""

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
        return field.name == self.id_column and (is_text(field.type) or pa.types.is_integer(field.type))

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
        return pc.binary_join_element_wise(repeated.cast(pa.string()), self._column(rows, self._asked[0]), ".")


def row_batches(
    part: pq.ParquetFile, columns: Sequence[str], rows: int, pairs: Pairs | None
) -> Iterator[pa.RecordBatch]:
    """Those columns of a part's rows, or of its pairs where ``pairs`` is given; about ``rows`` at a time."""
    if pairs is None:
        yield from part.iter_batches(batch_size=rows, columns=list(columns))
        return
    for batch in part.iter_batches(batch_size=max(1, rows // len(pairs.questions)), columns=pairs.read(columns)):
        yield pairs.of(batch, columns)


def _field(structs: pa.StructArray, name: str) -> pa.Array:
    """A field of structs that may be null themselves."""
    return structs.flatten()[structs.type.get_field_index(name)]
