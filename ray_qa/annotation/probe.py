"""A probe: some runs of rows from all over a corpus are read as a replica would read them beside others, and timed."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import cycle

import numpy as np
import numpy.typing as npt
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
from ray_qa.records import Question, Row

RUNS = 8
"""Places that rows are taken from: the more, the surer the interval; the fewer, the more their batches are like those
of a unit."""
MANY_WINDOWS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOfRows:
    """What came of some rows that follow each other."""

    rows: int
    text_bytes: int
    """Of their contexts, and of their questions where they stand in the rows; as :attr:`RowGroup.text_bytes` counts."""
    seconds: float
    encoding_seconds: float
    """Of these, in the tokenizer."""
    windows: int
    tokens: int
    computed_tokens: int
    """With padding."""
    repeated: int
    """Rows that ask what an earlier one asks of the same context, and have its answer."""
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
    readers: Sequence[Reader],
    config: AnnotateConfig,
    named: Named,
    units: Sequence[Unit],
    tell: Callable[[int], None],
) -> list[RunOfRows]:
    """Read runs of rows twice: once so that all that is made at first is made, once to be timed.

    Args:
        readers: the replicas of a machine; the first is timed, and the others read beside it, as they share its
            caches and the speed of its clock.
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
    first, *others = readers
    # Alone at first: OpenVINO's bindings lock up where two threads use some of them for the first time at once.
    first.read(asked[0])
    tell(len(asked[0]))
    found = []
    with _reading_on(others, asked):
        for rows in asked[1:]:
            first.read(rows)
            tell(len(rows))
        for table, rows in zip(tables, asked, strict=True):
            found.append(_timed(first, table, rows, config, named.questions))
            tell(len(rows))
    return found


def _timed(
    reader: Reader, table: pa.Table, rows: Sequence[Row], config: AnnotateConfig, questions: Sequence[Question]
) -> RunOfRows:
    stopwatch, began = Stopwatch(), time.perf_counter()
    with counting_on(stopwatch):
        answers = reader.read(rows)
    part = part_table(table, answers, config.columns(questions), {}, questions)
    bytes_out = _bytes_of(part, config.compression)
    seconds = time.perf_counter() - began
    amounts = stopwatch.take_amounts()
    return RunOfRows(
        rows=len(rows),
        text_bytes=_text_bytes(rows, with_questions=not questions),
        seconds=seconds,
        encoding_seconds=stopwatch.take().get("tokenise", 0.0),
        windows=amounts.get("windows", 0),
        tokens=amounts.get("tokens", 0),
        computed_tokens=amounts.get("computed", 0),
        repeated=len(rows) - len(set(rows)),
        cut_questions=sum(answer.question_cut for answer in answers),
        failed=Counter(answer.reason for answer in answers if answer.reason is not None),
        most_windows=max((answer.windows for answer in answers), default=0),
        many_windows=sum(answer.windows > MANY_WINDOWS for answer in answers),
        bytes_out=bytes_out,
    )


def average_rows(runs: Sequence[RunOfRows], bytes_a_row: float) -> npt.NDArray[np.float64]:
    """How many average rows of the corpus each run is worth. Time goes by text, and how much a row has is known of all
    rows: so a probe that happened on long ones does not pass for the corpus.

    Args:
        runs: those of a probe.
        bytes_a_row: of text, over the whole corpus.
    """
    if not bytes_a_row or not any(run.text_bytes for run in runs):
        return np.array([run.rows for run in runs], np.float64)
    return np.array([run.text_bytes / bytes_a_row for run in runs])


@contextmanager
def _reading_on(readers: Sequence[Reader], asked: Sequence[Sequence[Row]]) -> Iterator[None]:
    """Let each reader read the same rows over and over in a thread of its own."""
    over = threading.Event()

    def read_on(reader: Reader) -> None:
        for rows in cycle(asked):
            if over.is_set():
                return
            reader.read(rows)

    with ThreadPoolExecutor(max(1, len(readers))) as pool:
        reading = [pool.submit(read_on, reader) for reader in readers]
        try:
            yield
        finally:
            over.set()
    for each in reading:
        each.result()


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


def _text_bytes(rows: Sequence[Row], *, with_questions: bool) -> int:
    texts = [row.context for row in rows] + [row.question for row in rows if with_questions]
    return sum(len(text.encode()) for text in texts if text is not None)


def _bytes_of(table: pa.Table, compression: str) -> int:
    """What a part's rows take, without what every part takes."""
    sizes = []
    for some in (table, table.slice(0, 0)):
        sink = pa.BufferOutputStream()
        pq.write_table(some, sink, compression=compression)
        sizes.append(sink.getvalue().size)
    return int(sizes[0] - sizes[1])
