"""The rows of an annotate output: its parts, seen to be whole and of one run, then read a batch at a time."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from ray_qa.data.parquet_opening import open_parquet
from ray_qa.data.parts import LABEL
from ray_qa.errors import InputError, first_line
from ray_qa.runs.annotated_output import AnnotatedOutput, annotated_output, instead_of_output, model_used
from ray_qa.runs.part_labels import Counts
from ray_qa.runs.question_pairs import PAIRS, LongPairs, WidePairs, made_of, pairs_in, row_batches
from ray_qa.storage.remote import Place, place_of

READERS = 32
BATCH_ROWS = 1_024


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """An output whose parts belong together."""

    setting: str
    """What names it, for messages."""

    output: AnnotatedOutput
    schema: pa.Schema
    rows: int
    counts: Mapping[str, int]
    """What became of the pairs of question and context, over all parts: ``rows``, ``answered``, …"""
    part_counts: tuple[Counts, ...]
    """The same of each part."""
    plan: str
    """The digest of the plan that all parts were made by."""
    model: str
    pairs: WidePairs | LongPairs | None = None
    """How its rows are read as pairs of context and question, where they are."""

    def ours(self, name: str) -> str:
        """The name of a column that annotate added, with its prefix."""
        return f"{self.output.settings.get('prefix', '')}{name}"

    @property
    def question_column(self) -> str:
        """The column with the questions: the input's, or the one beside it that annotate wrote a set of them to."""
        return self.ours("question") if self.output.questions else str(self.output.settings["question_column"])

    def said_of_pair(self, pair_id: str) -> str:
        """What is to be said of an id that comes twice: where it is a pair's, what it is made of; or nothing."""
        return made_of(pair_id, self.output.questions) if self.pairs is not None else ""

    def named(self, columns: Sequence[str]) -> list[str]:
        """Those columns in the output's order, all where none is named.

        Raises:
            InputError: if one is not there.
        """
        for name in columns:
            self.check_column("columns", name)
        return [name for name in self.schema.names if not columns or name in columns]

    def check_column(self, setting: str, name: str) -> None:
        """Check that the output has a column.

        Raises:
            InputError: if not.
        """
        if name not in self.schema.names:
            it_has = f"read as {PAIRS} it has" if isinstance(self.pairs, WidePairs) else "it has"
            there = ", ".join(self.schema.names)
            raise InputError(
                f"`{setting}` must name a column of {self.output.folder}, but is {name!r}; {it_has} {there}"
            )


def open_source(path: str, partial: bool, setting: str = "input") -> Source:
    """See that the parts are there and belong together, from their footers.

    Raises:
        InputError: if there is no output of annotate, or it is not finished and ``partial`` does not allow that.
        StorageError: if its bucket cannot be reached.
    """
    folder = place_of(path, setting)
    output = annotated_output(folder)
    if output is None:
        raise InputError(f"`{setting}` must be a folder that annotate wrote, but {folder} {instead_of_output(folder)}")
    if output.unfinished and not partial:
        raise InputError(f"`{setting}` must be finished, but {output.unfinished}, or take what is there with --partial")
    if not output.parts:
        raise InputError(f"`{setting}` must have rows, but {folder} has no part yet")
    with ThreadPoolExecutor(READERS) as pool:
        first, *others = pool.map(lambda part: _footer(part, setting), output.parts)
    for part, footer in zip(output.parts[1:], others, strict=True):
        if footer.plan != first.plan or not footer.schema.equals(first.schema):
            raise InputError(
                f"`{setting}` must hold the parts of one run, but {part} is of another than {output.parts[0]}"
            )
    counts = sum((Counter(footer.counts) for footer in (first, *others)), start=Counter(dict.fromkeys(first.counts, 0)))
    return Source(
        setting=setting,
        output=output,
        schema=first.schema,
        rows=sum(footer.rows for footer in (first, *others)),
        counts={name: counts[name] for name in first.counts},
        part_counts=tuple(_counts(footer) for footer in (first, *others)),
        plan=first.plan,
        model=model_used(output),
    )


def in_pairs(source: Source, id_column: str) -> Source:
    """The same output with a row for each pair of context and question, each with its id; as it is, where it has that.

    Args:
        source: the output.
        id_column: the column that gets the pairs' ids.
    """
    output = source.output
    pairs = pairs_in(
        source.schema, output.questions, wide=bool(output.wide), prefix=source.ours(""), id_column=id_column
    )
    if pairs is None:
        return source
    return replace(
        source,
        output=replace(output, settings={**output.settings, "wide": False}),
        schema=pairs.schema,
        rows=source.rows * pairs.each,
        pairs=pairs,
    )


def batches(source: Source, columns: Sequence[str], rows: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
    """Those columns of all rows in order, at most ``rows`` rows at a time.

    Raises:
        InputError: if a part cannot be read.
    """
    for part in source.output.parts:
        try:
            with open_parquet(str(part)) as opened:
                yield from row_batches(opened, columns, rows, source.pairs)
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"`{source.setting}` must be readable, but {part} gives: {first_line(error)}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Footer:
    plan: str
    rows: int
    counts: Mapping[str, int]
    schema: pa.Schema


def _counts(footer: _Footer) -> Counts:
    return Counts(**{name: count for name, count in footer.counts.items() if name in Counts.__slots__})


def _footer(part: Place, setting: str) -> _Footer:
    try:
        with open_parquet(str(part)) as opened:
            label: dict[str, Any] = json.loads(opened.metadata.metadata[LABEL])
            rows, schema = opened.metadata.num_rows, opened.schema_arrow.remove_metadata()
        return _Footer(plan=label.pop("plan"), rows=rows, counts=label, schema=schema)
    except (OSError, pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise InputError(f"`{setting}` must hold parts that annotate wrote, but {part} is none") from error
