"""Rows with gold answers, from Parquet, SQuAD JSON, JSONL or ``datasets``, brought into one form."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from reprlib import repr as short_repr
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ray_qa.data.file_search import find_files
from ray_qa.data.schemas import is_text
from ray_qa.data.squad_json import read_squad_json
from ray_qa.errors import InputError, first_line
from ray_qa.storage.local import draft_of

ANSWERS = pa.struct([("text", pa.list_(pa.string())), ("answer_start", pa.list_(pa.int64()))])
SCHEMA = pa.schema([("id", pa.string()), ("question", pa.string()), ("context", pa.string()), ("answers", ANSWERS)])
SUFFIXES = (".parquet", ".json", ".jsonl")
CHUNK_ROWS = 2_048
DATASET_NAME = re.compile(r"([\w.-]+(?:/[\w.-]+)?)(?::([\w.-]+))?")

Setting = Literal["train", "eval"]
"""What errors are about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExamplesSummary:
    """How many rows there are, how many have an answer, and a digest of all they hold."""

    rows: int
    answerable: int
    sha256: str


def read_examples(sources: Sequence[str], setting: Setting) -> Iterator[pa.Table]:
    """Read all rows, in order, as tables of ``SCHEMA`` with at most ``CHUNK_ROWS`` rows.

    Args:
        sources: Parquet, SQuAD JSON (``.json``) and JSONL (``.jsonl``) files, folders and globs; or the names of data
            sets, ``NAME`` or ``NAME:SPLIT`` (``train`` unless given), for ``datasets`` to fetch.
        setting: what errors are about.

    Raises:
        InputError: if a source cannot be found or read, comes twice, or has not the columns question, context and
            answers.
    """
    example_files(sources, setting)
    for source in sources:
        if is_data_set(source):
            yield from _data_set(source, setting)
            continue
        for path in find_files([source], setting, suffixes=SUFFIXES).paths:
            yield from _READERS.get(Path(path).suffix.lower(), _parquet)(path, setting)


def example_files(sources: Sequence[str], setting: Setting) -> list[str]:
    """The files among the sources, without those of data sets.

    Raises:
        InputError: if one cannot be found or comes twice.
    """
    return find_files([source for source in sources if not is_data_set(source)], setting, suffixes=SUFFIXES).paths


def survey_examples(sources: Sequence[str], setting: Setting) -> ExamplesSummary:
    """Read all rows once, to see that they are fit for use.

    Raises:
        InputError: as :func:`read_examples`; or there is no row, or none with an answer.
    """
    tally = _Tally()
    for table in read_examples(sources, setting):
        tally.add(table)
    names = ", ".join(sources)
    if not tally.rows:
        raise InputError(f"`{setting}` must have rows, but {names} has none")
    if not tally.answerable:
        raise InputError(
            f"`{setting}` must have rows with an answer, but none of the {tally.rows:,} of {names} has one; "
            "is the column `answers` filled?"
        )
    return tally.summary()


def write_examples(sources: Sequence[str], setting: Setting, path: Path, expected: ExamplesSummary) -> None:
    """Write all rows to one Parquet file, a row group for each table of :func:`read_examples`; all of it or nothing.

    Raises:
        InputError: if they are no longer those that were surveyed.
    """
    tally = _Tally()
    with draft_of(path) as draft:
        with pq.ParquetWriter(draft, SCHEMA, compression="zstd") as writer:
            for table in read_examples(sources, setting):
                tally.add(table)
                writer.write_table(table, row_group_size=CHUNK_ROWS)
        if tally.summary() != expected:
            raise InputError(
                f"`{setting}` must stay as it is while it is read, but {', '.join(sources)} has changed; run again"
            )


def row_ids(path: Path, rows: Sequence[int]) -> list[str]:
    """The ids of rows, by number, in a file that :func:`write_examples` made."""
    ids = pq.read_table(path, columns=["id"])["id"]
    return [str(ids[row].as_py()) for row in rows]


@dataclass(slots=True, kw_only=True)
class _Tally:
    """What a summary tells, of the rows so far."""

    rows: int = 0
    answerable: int = 0
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    def add(self, table: pa.Table) -> None:
        self.rows += table.num_rows
        texts = pc.struct_field(table["answers"], "text")
        self.answerable += int(pc.sum(pc.greater(pc.list_value_length(texts), 0)).as_py() or 0)
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, SCHEMA) as writer:
            # Made anew, since the bytes under a null may be anything.
            writer.write_table(pa.Table.from_pylist(table.to_pylist(), schema=SCHEMA))
        self.digest.update(sink.getvalue())

    def summary(self) -> ExamplesSummary:
        return ExamplesSummary(rows=self.rows, answerable=self.answerable, sha256=self.digest.hexdigest())


def is_data_set(source: str) -> bool:
    """Whether a source is the name of a data set, rather than files."""
    return DATASET_NAME.fullmatch(source) is not None and not (
        Path(source).exists() or source.lower().endswith(SUFFIXES)
    )


def _data_set(source: str, setting: Setting) -> Iterator[pa.Table]:
    import datasets

    match = DATASET_NAME.fullmatch(source)
    assert match is not None
    datasets.disable_progress_bars()
    try:
        rows = datasets.load_dataset(match[1], split=match[2] or "train")
    except Exception as error:  # datasets raises what its hub, its files and its builders do
        raise InputError(
            f"`{setting}` must be files, folders, globs or data sets that can be fetched, but {source!r} is no file "
            f"here, and datasets gave: {first_line(error)}"
        ) from error
    yield from _uniform(rows.with_format("arrow").iter(batch_size=CHUNK_ROWS), setting, source)


def _parquet(path: str, setting: Setting) -> Iterator[pa.Table]:
    try:
        with pq.ParquetFile(path) as file:
            columns = [name for name in SCHEMA.names if name in file.schema_arrow.names]
            batches = file.iter_batches(CHUNK_ROWS, columns=columns)
            # The schema is checked even where there is no row.
            tables = itertools.chain(
                [file.schema_arrow.empty_table()], (pa.Table.from_batches([each]) for each in batches)
            )
            yield from _uniform(tables, setting, path)
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            f"`{setting}` must be readable Parquet files, but {path} gives: {first_line(error)}"
        ) from error


def _uniform(tables: Iterable[pa.Table], setting: Setting, where: str) -> Iterator[pa.Table]:
    """Arrow tables brought into ``SCHEMA``."""
    first_row = 0
    for table in tables:
        _check_columns(table.schema, setting, where)
        numbers = pa.array([f"row {first_row + nth}" for nth in range(table.num_rows)], pa.string())
        try:
            columns = [
                pc.coalesce(table["id"].cast(pa.string()), numbers) if "id" in table.column_names else numbers,
                table["question"].cast(pa.string()),
                table["context"].cast(pa.string()),
                _answers(table["answers"].combine_chunks()),
            ]
            uniform = pa.Table.from_arrays(columns, schema=SCHEMA)
            uniform.validate(full=True)  # that texts are UTF-8
        except pa.ArrowException as error:
            raise InputError(
                f"`{setting}` must have texts and their places, but {where} gives: {first_line(error)}"
            ) from error
        _check_answers(columns[-1], first_row, setting, where)
        first_row += table.num_rows
        if table.num_rows:
            yield uniform


def _check_columns(schema: pa.Schema, setting: Setting, where: str) -> None:
    there = ", ".join(schema.names) or "no columns"
    for name in SCHEMA.names:
        if schema.names.count(name) != 1 and (name != "id" or name in schema.names):
            raise InputError(f"`{setting}` must have one column {name!r}, but {where} has {there}")
    for name in ("question", "context"):
        if not is_text(schema.field(name).type):
            raise InputError(f"`{setting}` must have text in {name!r}, but {where} has {schema.field(name).type}")
    kind = schema.field("answers").type
    if not (_has_list(kind, "text", is_text) and _has_list(kind, "answer_start", pa.types.is_integer)):
        raise InputError(
            f"`{setting}` must have struct{{text: list of texts, answer_start: list of integers}} in 'answers', "
            f"but {where} has {kind}"
        )


def _has_list(kind: pa.DataType, name: str, is_right: Callable[[pa.DataType], bool]) -> bool:
    """Whether a type is a struct with a list of such values; a list that is always empty has values of no type."""
    if not pa.types.is_struct(kind) or kind.get_field_index(name) < 0:
        return False
    field = kind.field(name).type
    is_list = pa.types.is_list(field) or pa.types.is_large_list(field) or pa.types.is_fixed_size_list(field)
    return is_list and (is_right(field.value_type) or pa.types.is_null(field.value_type))


def _answers(answers: pa.StructArray) -> pa.StructArray:
    texts, starts = (pc.struct_field(answers, field.name).cast(field.type) for field in ANSWERS)
    missing = pc.and_(texts.is_null(), starts.is_null())
    return pa.StructArray.from_arrays([texts, starts], fields=list(ANSWERS), mask=missing)


def _check_answers(answers: pa.StructArray, first_row: int, setting: Setting, where: str) -> None:
    texts, starts = answers.flatten()
    text_count, start_count = (pc.fill_null(pc.list_value_length(lists), -1) for lists in (texts, starts))
    uneven = pc.indices_nonzero(pc.not_equal(text_count, start_count))
    without_text = pc.list_parent_indices(texts).filter(pc.list_flatten(texts).is_null())
    wrong = [*uneven.to_pylist(), *without_text.to_pylist()]
    if wrong:
        first = min(wrong)
        raise InputError(
            f"`{setting}` must have a text and a place for every answer, but row {first_row + first + 1} of {where} "
            f"has {short_repr(answers[first].as_py())}"
        )


def _squad_json(path: str, setting: Setting) -> Iterator[pa.Table]:
    rows = (
        {"id": row.id, "question": row.question, "context": row.context, "answers": row.answers}
        for row in read_squad_json(path, setting)
    )
    return _tables(rows, setting, path)


def _jsonl(path: str, setting: Setting) -> Iterator[pa.Table]:
    return _tables(_lines(path, setting), setting, path)


def _lines(path: str, setting: Setting) -> Iterator[object]:
    try:
        with Path(path).open(encoding="utf-8-sig") as stream:
            for number, line in enumerate(stream, start=1):
                if line.strip():
                    try:
                        yield json.loads(line)
                    except (ValueError, RecursionError) as error:
                        raise InputError(
                            f"`{setting}` must have a JSON object in every line, but line {number} of {path} "
                            f"gives: {first_line(error)}"
                        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"`{setting}` must be readable JSONL, but {path} gives: {first_line(error)}") from error


def _tables(rows: Iterable[object], setting: Setting, path: str) -> Iterator[pa.Table]:
    numbered = enumerate(rows, start=1)
    while chunk := list(itertools.islice(numbered, CHUNK_ROWS)):
        uniform = [_uniform_row(row, setting, number, path) for number, row in chunk]
        try:
            yield pa.Table.from_pylist(uniform, schema=SCHEMA)
        except (pa.ArrowException, UnicodeEncodeError, OverflowError) as error:
            raise InputError(
                f"`{setting}` must have texts and their places, but {path} gives: {first_line(error)}"
            ) from error


def _uniform_row(row: object, setting: Setting, number: int, path: str) -> dict[str, object]:
    where = f"row {number} of {path}"
    if not isinstance(row, dict) or "answers" not in row:
        raise InputError(
            f"`{setting}` must have rows with question, context and answers, but {where} is {short_repr(row)}"
        )
    texts = [row.get("question"), row.get("context")]
    if not all(text is None or isinstance(text, str) for text in texts):
        raise InputError(f"`{setting}` must have texts as question and context, but {where} has {short_repr(texts)}")
    answers = row["answers"]
    if isinstance(answers, list):
        pairs = [answer if isinstance(answer, dict) else {} for answer in answers]
        answers = {name: [pair.get(name) for pair in pairs] for name in ("text", "answer_start")}
    valid = isinstance(answers, dict) and _are_lists(answers.get("text"), answers.get("answer_start"))
    if answers is not None and not valid:
        raise InputError(
            f"`{setting}` must have answers as {{text: [...], answer_start: [...]}} or as a list of such pairs, "
            f"but {where} has {short_repr(row['answers'])}"
        )
    return {
        "id": str(row["id"]) if row.get("id") is not None else f"row {number - 1}",
        "question": texts[0],
        "context": texts[1],
        "answers": answers,
    }


def _are_lists(texts: Any, starts: Any) -> bool:
    return (
        isinstance(texts, list)
        and isinstance(starts, list)
        and len(texts) == len(starts)
        and all(isinstance(text, str) for text in texts)
        and all(start is None or (isinstance(start, int) and not isinstance(start, bool)) for start in starts)
    )


_READERS: dict[str, Callable[[str, Setting], Iterator[pa.Table]]] = {".json": _squad_json, ".jsonl": _jsonl}
