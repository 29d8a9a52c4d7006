"""Tables of other libraries, told by what they can do and read as Arrow: pyarrow, pandas, polars, ``datasets`` …"""

from __future__ import annotations

import re
from typing import Any, Protocol, runtime_checkable

import pyarrow as pa

from ray_qa.data.object_tables import CHUNK_ROWS
from ray_qa.errors import InputError, first_line

INDEX_WITHOUT_NAME = re.compile(r"__index_level_\d+__")


@runtime_checkable
class ArrowStream(Protocol):
    """A table that gives itself away by Arrow's PyCapsule protocol: those of pyarrow, pandas, polars, DuckDB …"""

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any: ...


@runtime_checkable
class DataSet(Protocol):
    """A data set of ``datasets``."""

    def with_format(self, type: str) -> Any:
        """The same rows, given in another form."""

    def iter(self, batch_size: int) -> Any:
        """Some rows after the other."""


Frame = ArrowStream | DataSet


def as_table(frame: object, setting: str) -> pa.Table:
    """A table of another library as one of Arrow; what lies in memory as Arrow has it is not copied.

    Views become large texts, which everybody reads; an index of pandas that has no name is left out.

    Raises:
        InputError: about ``setting``, if Arrow cannot hold it.
    """
    try:
        if isinstance(frame, ArrowStream):
            table = pa.RecordBatchReader.from_stream(frame).read_all()
        elif isinstance(frame, DataSet):
            table = pa.concat_tables(frame.with_format("arrow").iter(batch_size=CHUNK_ROWS))
        elif hasattr(frame, "collect"):
            raise TypeError("it is a query that has yet to be run; give what its .collect() gives")
        else:
            raise TypeError("it is no table of Arrow, pandas, polars or datasets")
        unnamed = [name for name in table.column_names if INDEX_WITHOUT_NAME.fullmatch(name)]
        table = table.drop_columns(unnamed).replace_schema_metadata(None)
        return table.cast(pa.schema([field.with_type(_without_views(field.type)) for field in table.schema]))
    except Exception as error:  # what other libraries raise is theirs to choose
        raise InputError(
            f"`{setting}` must be a table that Arrow can hold, but {type(frame).__name__} gives: {first_line(error)}"
        ) from error


def _without_views(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_string_view(kind):
        return pa.large_string()
    if pa.types.is_binary_view(kind):
        return pa.large_binary()
    if pa.types.is_large_list(kind):
        return pa.large_list(_field_without_views(kind.value_field))
    if pa.types.is_list(kind):
        return pa.list_(_field_without_views(kind.value_field))
    if pa.types.is_struct(kind):
        return pa.struct([_field_without_views(field) for field in kind])
    return kind


def _field_without_views(field: pa.Field) -> pa.Field:
    return field.with_type(_without_views(field.type))
