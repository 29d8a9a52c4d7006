"""The two stages that run on workers: units are read and encoded by tasks, scored and written by replicas."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from ray_qa.annotation.attempts import (
    MOST_ATTEMPTS,
    Attempts,
    begin_span,
    begin_unit,
    end_unit,
    has_killed_too_many,
    spans_to_try,
)
from ray_qa.annotation.config import AnnotateConfig
from ray_qa.annotation.engine_used import Int8
from ray_qa.annotation.manifest import KnownPart
from ray_qa.annotation.parts import read_parts
from ray_qa.annotation.profile import NO_SECONDS, STEPS, Idle, Moments, StepSeconds
from ray_qa.annotation.reading_tasks import units_to_read
from ray_qa.annotation.summary import UnitSummary, count_answers
from ray_qa.cluster.interruptions import uninterrupted
from ray_qa.cluster.telemetry import Telemetry, UnitWork
from ray_qa.cluster.worker import node_here, node_leaves, nodes_alive
from ray_qa.data.part_tables import part_table
from ray_qa.data.parts import part_path
from ray_qa.data.question_sets import rows_to_read
from ray_qa.data.row_groups import read_units
from ray_qa.data.schemas import kept_columns, texts
from ray_qa.errors import ModelError, RayQaError
from ray_qa.reader.answers import failed
from ray_qa.reader.arithmetic import Arithmetic
from ray_qa.reader.backend import BrokenDeviceError
from ray_qa.reader.calibration import Decision
from ray_qa.reader.encoded import EncodedRows
from ray_qa.reader.model_files import ModelFiles, model_here, tokenizer_here
from ray_qa.reader.stopwatch import Stopwatch, counting_on, step
from ray_qa.records import Answer, Question, Row
from ray_qa.runs.ownership import check_claim
from ray_qa.runs.part_labels import Counts, PartLabel, publish_part
from ray_qa.settings import ColumnSettings
from ray_qa.storage import places
from ray_qa.storage.credentials import use_access

ENCODED_SCHEMA = pa.schema(
    [
        ("unit", pa.int64()),
        ("row_count", pa.int64()),
        ("rows", pa.large_binary()),
        ("encoded", pa.large_binary()),
        ("steps", pa.struct([(name, pa.float64()) for name in STEPS])),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotateJob:
    """All a worker needs to know; goes to each once."""

    config: AnnotateConfig
    decision: Decision
    """When rows are left unanswered, and what confidence stands for."""
    model: ModelFiles
    schema: pa.Schema
    """Input columns to read, in the types to read them in: those to keep, the question and the context."""
    questions: tuple[Question, ...]
    """What is asked of every row, if that does not stand in the rows."""
    arithmetic: Arithmetic
    calibration: tuple[Row, ...]
    """What int8 is calibrated on."""
    int8: Int8 | None
    """What int8 is to come to on every node, where it is the arithmetic."""
    threads: int
    again: frozenset[int]
    """Units to score although their parts are there."""
    plan: str
    """The digest of the plan: what workers show before they write, and every part carries."""


def schema_to_read(schema: pa.Schema, columns: ColumnSettings) -> pa.Schema:
    """The kept columns and those whose texts are read, in the input's order."""
    wanted = {*kept_columns(schema, columns.keep), *columns.read}
    return pa.schema([field for field in schema if field.name in wanted])


def encode_units(batch: pa.Table, job: AnnotateJob) -> Iterator[pa.Table]:
    """Stage one: read and encode, one by one, the units that the batch lists; see ``reading_tasks``."""
    # One task is one CPU's work; the tokenizer's own threads would take those of the replicas.
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    use_access(job.config.access)
    with uninterrupted():
        from ray_qa.reader.tokenizer_loading import load_pair_tokenizer

        tokenizer = load_pair_tokenizer(tokenizer_here(job.model))
    task = units_to_read(batch)
    config, stopwatch = job.config, Stopwatch()
    read = read_units(task.sources, task.units, job.schema)
    for unit in task.units:
        with counting_on(stopwatch if config.profile else None):
            with step("read"):
                rows = next(read)
            with step("tokenise"):
                records = rows_to_read(rows, config.columns(), job.questions)
                encoded = tokenizer.encode(records, config.max_question_tokens, config.max_context_chars)
            with step("pack"):
                packed = [pa.array([value], pa.large_binary()) for value in (_to_ipc(rows), encoded.to_ipc())]
        steps = pa.array([asdict(StepSeconds(**stopwatch.take()))], ENCODED_SCHEMA.field("steps").type)
        numbers = [pa.array([unit.number]), pa.array([len(records)])]
        yield pa.Table.from_arrays([*numbers, *packed, steps], schema=ENCODED_SCHEMA)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    """A unit whose part is there; with its answers where they were found just now."""

    part: KnownPart
    answers: Sequence[Answer] = ()


class Annotator:
    """Stage two, one replica: scores a unit, writes its part, and returns a summary of it."""

    def __init__(self, job: AnnotateJob) -> None:
        from ray_qa.reader.reader import Reader

        use_access(job.config.access)
        self._job = job
        self._replica = f"{os.uname().nodename}:{os.getpid()}"
        self._refusal: RayQaError | None = None
        self._stopwatch = Stopwatch(timed=job.config.profile)
        self._idle: Idle | None = None
        begun = time.time()
        try:
            reader = Reader.load(
                model_here(job.model),
                settings=job.config,
                device=job.arithmetic.device,
                dtype=job.arithmetic.dtype,
                batch_tokens=job.arithmetic.batch_tokens,
                backend=job.arithmetic.backend,
                threads=job.threads,
                calibration=job.calibration or None,
                protected=job.int8 is not None and job.int8.protected,
            )
            self._reader = replace(reader, decision=job.decision)
            if job.int8 is not None:
                _check_int8(job.int8)
        except RayQaError as error:
            # An actor that fails to start is tried again and its traceback shown; a failing task ends the run at once.
            self._refusal = error
        else:
            loaded = time.time()
            # The first pass sets torch's kernels up; better now than on the run's clock.
            self._reader.answer(question="What is this?", context="This is a warm-up.")
            self._moments = Moments(begun=begun, loaded=loaded, tried=time.time())
        self._telemetry = Telemetry.open()

    def __call__(self, batch: pa.Table) -> pa.Table:
        """Score the one unit of ``batch``; see ``ENCODED_SCHEMA``."""
        if self._refusal is not None:
            raise self._refusal
        if node_leaves():
            # The unit was handed over before Ray knew. It starts another replica where it can stay, with this unit.
            os._exit(1)
        started = time.time()
        idled = NO_SECONDS if self._idle is None else self._idle.ended()
        with counting_on(self._stopwatch):
            with step("unpack"):
                (row,) = batch.to_pylist()
            check_claim(self._job.config.folder, self._job.plan)
            done = self._done_before(row["unit"], row["row_count"]) or self._annotate(row)
        steps = StepSeconds(**self._stopwatch.take()) + StepSeconds(**row["steps"]) + idled
        if self._telemetry is not None:
            seconds = {"unit": time.time() - started, **(asdict(steps) if self._job.config.profile else {})}
            self._telemetry.tell(_work(done, seconds, self._stopwatch.take_amounts()))
        summary = UnitSummary(
            unit=row["unit"],
            counts=done.part.counts,
            version=done.part.version,
            replica=self._replica,
            started=started,
            published=time.time(),
            moments=self._moments,
            steps=steps if self._job.config.profile else NO_SECONDS,
        )
        self._idle = Idle.from_now()
        return summary_table(summary)

    def _done_before(self, unit: int, rows: int) -> _Done | None:
        """A task that is run again after its replica died finds the parts it had published."""
        folder = self._job.config.folder
        if unit in self._job.again or not places.exists(part_path(folder, unit)):
            return None
        counts = read_parts(folder, {unit: rows}, self._job.plan).get(unit)
        return None if counts is None else _Done(part=KnownPart(version="", counts=counts))

    def _annotate(self, row: Mapping[str, Any]) -> _Done:
        config, folder = self._job.config, self._job.config.folder
        with step("unpack"):
            rows = _from_ipc(row["rows"])
            encoded, asked = EncodedRows.from_ipc(row["encoded"]), max(1, len(self._job.questions))
            contexts = [context for context in texts(rows[config.context_column]) for _ in range(asked)]
        attempts = begin_unit(folder, row["unit"], node_here())
        # To ask which nodes are alive takes a while; nobody asks before a unit has been tried often enough.
        alive = nodes_alive() if len(attempts.nodes) >= MOST_ATTEMPTS else set()
        if has_killed_too_many(attempts, alive):
            answers = self._score_in_spans(row["unit"], attempts, alive, encoded, contexts)
        else:
            answers = self._score(encoded, contexts)
        with step("write"):
            counts = count_answers(answers, encoded.duplicates)
            label = PartLabel(plan=self._job.plan, counts=counts)
            columns, questions = config.columns(self._job.questions), self._job.questions
            part = part_table(rows, answers, columns, label.as_metadata(), questions)
            check_claim(folder, self._job.plan)
            version = publish_part(folder, row["unit"], part, config.compression)
            end_unit(attempts)
        return _Done(part=KnownPart(version=version, counts=counts), answers=answers)

    def _score_in_spans(
        self, unit: int, attempts: Attempts, alive: set[str], encoded: EncodedRows, contexts: list[str | None]
    ) -> list[Answer]:
        """Score what can be scored of a unit that kills its workers; if this one dies too, the next knows of what."""
        answers = [failed("worker_died")] * len(contexts)
        for span in spans_to_try(len(contexts), attempts, alive):
            mark = begin_span(self._job.config.folder, unit, span, node_here())
            rows = slice(span.first, span.stop)
            answers[rows] = self._score(encoded.take(np.arange(span.first, span.stop)), contexts[rows])
            places.delete([mark])
        return answers

    def _score(self, encoded: EncodedRows, contexts: list[str | None]) -> list[Answer]:
        try:
            return self._reader.score(encoded, contexts)
        except BrokenDeviceError:
            # Nothing that this process asks of the device will succeed any more. Ray starts another one, perhaps on
            # another card, and hands it the unit again, as after any death; the attempts at it are counted.
            os._exit(1)


def _work(done: _Done, seconds: Mapping[str, float], amounts: Mapping[str, int]) -> UnitWork:
    """What there is to tell of a unit: nothing of one that was done before."""
    counts, tokens = done.part.counts, amounts.get("tokens", 0)
    statuses = {"answered": counts.answered, "no_answer": counts.no_answer, "failed": counts.failed}
    return UnitWork(
        rows=statuses if done.answers else {},
        windows=amounts.get("windows", 0),
        tokens=tokens,
        padding=amounts.get("computed", 0) - tokens,
        seconds=seconds,
        margins=[margin for answer in done.answers if (margin := _margin(answer)) is not None],
    )


def _margin(answer: Answer) -> float | None:
    if answer.start_score is None or answer.end_score is None or answer.null_score is None:
        return None
    return answer.start_score + answer.end_score - answer.null_score


def _check_int8(planned: Int8) -> None:
    from ray_qa.reader.quantization import int8_in_words

    here = int8_in_words(protected=planned.protected)
    if here != planned.form:
        raise ModelError(
            f"`dtype` must come to the same on every node, but int8 is {planned.form} in the plan, and {here} on "
            f"{os.uname().nodename}; use nodes of one kind, or another `dtype`"
        )


def summary_table(summary: UnitSummary) -> pa.Table:
    """A summary as a row for Ray Data."""
    return pa.Table.from_pylist([asdict(summary)])


def summary_from_row(row: Mapping[str, Any]) -> UnitSummary:
    """The summary that :func:`summary_table` made a row of."""
    records = {"counts": Counts(**row["counts"]), "moments": Moments(**row["moments"])}
    return UnitSummary(**{**row, **records, "steps": StepSeconds(**row["steps"])})


def _to_ipc(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


def _from_ipc(value: bytes) -> pa.Table:
    with pa.ipc.open_stream(value) as reader:
        return reader.read_all()
