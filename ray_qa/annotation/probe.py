"""A probe: some runs of rows from all over a corpus are read as a replica would read them, and timed."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ray_qa.annotation.config import AnnotateConfig
from ray_qa.annotation.planning import Named
from ray_qa.data.part_tables import part_table
from ray_qa.data.question_sets import rows_to_read
from ray_qa.data.row_groups import read_units
from ray_qa.data.units import Piece, Unit
from ray_qa.reader.reader import Reader
from ray_qa.reader.stopwatch import Stopwatch, counting_on

RUNS = 8
"""Places that rows are taken from: the more, the surer the interval; the fewer, the more their batches are like those
of a unit."""
MANY_WINDOWS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOfRows:
    """What came of some rows that follow each other."""

    rows: int
    seconds: float
    encoding_seconds: float
    """Of these, in the tokenizer."""
    windows: int
    tokens: int
    computed_tokens: int
    """With padding."""
    cut_questions: int
    failed: Counter[str]
    """Rows by reason."""
    most_windows: int
    many_windows: int
    """Rows of more than ``MANY_WINDOWS`` windows."""
    bytes_out: int
    """Of the part that they would make, but for what every part takes."""


def runs_of_rows(units: Sequence[Unit], wanted: int, seed: int) -> list[Unit]:
    """So many rows, in ``RUNS`` runs at random places, none of them within another; all rows where there are few.

    Args:
        units: those of a plan.
        wanted: rows in all.
        seed: of the places.
    """
    if sum(unit.rows for unit in units) <= wanted:
        return list(units)
    random = np.random.default_rng(seed)
    weights = np.array([unit.rows for unit in units], np.float64)
    chosen = np.sort(random.choice(len(units), min(RUNS, len(units)), replace=False, p=weights / weights.sum()))
    each = -(-wanted // len(chosen))
    return [_part_of(units[number], each, random, nth) for nth, number in enumerate(chosen.tolist())]


def probe(
    reader: Reader, config: AnnotateConfig, named: Named, units: Sequence[Unit], tell: Callable[[int], None]
) -> list[RunOfRows]:
    """Read runs of rows twice: once so that all that is made at first is made, once to be timed.

    Args:
        reader: as a replica has it.
        config: the settings.
        named: the corpus.
        units: what to read.
        tell: told the rows that were read, of both times.

    Raises:
        InputError: if a file cannot be read.
    """
    columns = config.columns(named.questions)
    tables = list(read_units(named.inputs.sources, units, named.inputs.schema))
    asked = [rows_to_read(table, columns, named.questions) for table in tables]
    for rows in asked:
        reader.read(rows)
        tell(len(rows))
    found = []
    for table, rows in zip(tables, asked, strict=True):
        stopwatch, began = Stopwatch(), time.perf_counter()
        with counting_on(stopwatch):
            answers = reader.read(rows)
        bytes_out = _bytes_of(part_table(table, answers, columns, {}, named.questions), config.compression)
        seconds = time.perf_counter() - began
        amounts = stopwatch.take_amounts()
        found.append(
            RunOfRows(
                rows=len(rows),
                seconds=seconds,
                encoding_seconds=stopwatch.take().get("tokenise", 0.0),
                windows=amounts.get("windows", 0),
                tokens=amounts.get("tokens", 0),
                computed_tokens=amounts.get("computed", 0),
                cut_questions=sum(answer.question_cut for answer in answers),
                failed=Counter(answer.reason for answer in answers if answer.reason is not None),
                most_windows=max((answer.windows for answer in answers), default=0),
                many_windows=sum(answer.windows > MANY_WINDOWS for answer in answers),
                bytes_out=bytes_out,
            )
        )
        tell(len(rows))
    return found


def _part_of(unit: Unit, rows: int, random: np.random.Generator, number: int) -> Unit:
    """So many rows of a unit that follow each other."""
    first = int(random.integers(0, max(1, unit.rows - rows + 1)))
    pieces: list[Piece] = []
    before = 0
    for piece in unit.pieces:
        begin, stop = max(first - before, 0), min(first + rows - before, piece.rows)
        if begin < stop:
            pieces.append(replace(piece, first_row=piece.first_row + begin, rows=stop - begin))
        before += piece.rows
    return Unit(number=number, pieces=tuple(pieces))


def _bytes_of(table: pa.Table, compression: str) -> int:
    """What a part's rows take, without what every part takes."""
    sizes = []
    for some in (table, table.slice(0, 0)):
        sink = pa.BufferOutputStream()
        pq.write_table(some, sink, compression=compression)
        sizes.append(sink.getvalue().size)
    return int(sizes[0] - sizes[1])
