"""Judging, the whole way: predictions and gold answers are read batch by batch and become plain arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from reprlib import repr as short_repr

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ray_qa.data.answer_columns import as_array, lengths
from ray_qa.data.gold import ANSWERS, GoldRows, gold_texts, read_gold
from ray_qa.data.schemas import is_text, texts
from ray_qa.errors import InputError
from ray_qa.judging.judged_rows import STATUSES, UNKNOWN, ByColumn, JudgedRows, empty_rows
from ray_qa.judging.matching import Matched, in_themselves, matched_by_id
from ray_qa.judging.predictions import Predictions, prediction_tables
from ray_qa.judging.traits import context_hashes, question_words, shortest_words, text_lengths
from ray_qa.metrics.squad import Convention, SquadScores, official_scores, score_text
from ray_qa.runs.live_line import counted

MOST_VALUES = 1_000
"""A column with more values tells every row apart, and says nothing."""
SCORES = ("start_score", "end_score", "null_score", "log_partition", "confidence")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """How right predictions are, row by row."""

    rows: JudgedRows
    extra: int
    """Predictions without a gold row."""

    @property
    def scores(self) -> SquadScores:
        """The official SQuAD figures."""
        rows = self.rows
        return official_scores(
            has_answer_N=rows.has_answer_N,
            is_present_N=rows.is_present_N,
            exact_N=rows.exact_N,
            f1_N=rows.f1_N,
            is_nothing_N=rows.is_nothing_N,
            convention=rows.convention,
            extra=self.extra,
        )


def judge_against(predictions: Predictions, gold: GoldRows, id_column: str, by: Sequence[str] = ()) -> Judgement:
    """Judge predictions against gold rows of the same ids; rows come in the order of the gold rows.

    Args:
        predictions: what is judged.
        gold: the gold answers.
        id_column: the column of the predictions' ids.
        by: columns of the predictions that rows are to be told apart by.

    Raises:
        InputError: if a column is not there or is something else, an id is null or comes twice, or none is shared.
    """
    convention: Convention = "v1.1" if pc.min(pc.list_value_length(gold.texts)).as_py() else "v2.0"
    rows = empty_rows(len(gold), convention, by)
    _fill_gold(rows, gold)
    return _judged(rows, predictions, matched_by_id(predictions, gold, id_column, _columns(predictions, by)), by)


def judge_in_itself(predictions: Predictions, answers_column: str = ANSWERS, by: Sequence[str] = ()) -> Judgement:
    """Judge predictions against the gold answers that they have kept; rows come in their order.

    Raises:
        InputError: as :func:`judge_against`; or there are no gold answers.
    """
    check_has_kept_gold(predictions, answers_column)
    rows = empty_rows(predictions.rows, _convention_of(predictions, answers_column), by)
    matched = in_themselves(predictions, answers_column, _columns(predictions, by))
    return _judged(rows, predictions, matched, by)


def check_has_kept_gold(predictions: Predictions, answers_column: str = ANSWERS) -> None:
    """Check that predictions have gold answers beside them.

    Raises:
        InputError: if not; or they are of a question set, whose questions all contexts were asked.
    """
    if not predictions.has(answers_column):
        raise InputError(
            f"`{predictions.setting}` must have kept its gold answers unless `gold` is given, but {predictions.path} "
            f"has no column {answers_column!r}"
        )
    if predictions.output is not None and predictions.output.questions:
        raise InputError(
            f"`gold` must be given where every context was asked a set of questions, as in {predictions.path}: what it "
            f"has kept in {answers_column!r} does not say of which question it is"
        )


def read_judgement(predictions: Predictions, gold: str | None, id_column: str, by: Sequence[str] = ()) -> Judgement:
    """Judge predictions against the gold rows that a path leads to, or those that they have kept themselves.

    Raises:
        InputError: as :func:`judge_against`, :func:`judge_in_itself` and :func:`ray_qa.data.gold.read_gold`.
    """
    if gold is None:
        return judge_in_itself(predictions, by=by)
    gold_rows = read_gold(gold, id_column)
    judgement = judge_against(predictions, gold_rows, id_column, by)
    check_shares_ids(judgement, predictions, gold_rows, id_column)
    return judgement


def has_scores(predictions: Predictions) -> bool:
    """Whether predictions have the columns of scores that annotate writes."""
    return all(predictions.has(predictions.ours(name)) for name in SCORES)


def check_shares_ids(judgement: Judgement, predictions: Predictions, gold: GoldRows, id_column: str) -> None:
    """Check that there is a prediction of some gold row.

    Raises:
        InputError: if not, with an id of each side.
    """
    if not judgement.rows.is_present_N.any():
        raise InputError(
            f"`{predictions.setting}` must share ids with `gold`, but none of its "
            f"{_ids(predictions.rows, _first_id(predictions, id_column))} is among the "
            f"{_ids(len(gold), gold.ids[0].as_py())} of `gold`"
        )


def _first_id(predictions: Predictions, id_column: str) -> object:
    column = "id" if predictions.table is not None else id_column
    tables = prediction_tables(predictions, [column])
    return next((str(table[column][0].as_py()) for table in tables if table.num_rows), None)


def _ids(rows: int, example: object) -> str:
    return counted(rows, "id") + ("" if example is None else f" (such as {short_repr(example)})")


def _convention_of(predictions: Predictions, answers_column: str) -> Convention:
    for table in prediction_tables(predictions, [answers_column]):
        answers = gold_texts(table, answers_column, predictions.setting, predictions.path)
        if len(answers) and not lengths(answers.cast(pa.list_(answers.type.value_type))).all():
            return "v2.0"
    return "v1.1"


def _columns(predictions: Predictions, by: Sequence[str]) -> list[str]:
    answer = predictions.ours("answer")
    predictions.check_column(answer)
    kind = predictions.schema.field(answer).type
    if not is_text(kind) and not pa.types.is_null(kind):
        raise InputError(f"`{predictions.setting}` must have texts in {answer!r}, but {predictions.path} has {kind}")
    ours = [predictions.ours(name) for name in ("span", *SCORES, "status", "windows")]
    wanted = [*ours, predictions.question_column, predictions.context_column]
    return [answer, *(name for name in wanted if predictions.has(name)), *by]


def _fill_gold(rows: JudgedRows, gold: GoldRows) -> None:
    texts_N = as_array(gold.texts)
    rows.has_answer_N[:] = lengths(texts_N) > 0
    rows.answer_words_N[:] = shortest_words(texts_N)


def _judged(rows: JudgedRows, predictions: Predictions, matched: Iterator[Matched], by: Sequence[str]) -> Judgement:
    values: dict[str, dict[str, int]] = {name: {} for name in by}
    found = 0
    for some in matched:
        at, found = some.gold_B, found + len(some.gold_B)
        rows.is_present_N[at] = True
        rows.row_N[at] = some.row_B
        rows.has_answer_N[at] = lengths(some.texts) > 0
        rows.answer_words_N[at] = shortest_words(some.texts)
        _fill_scores(rows, some, predictions)
        _fill_figures(rows, some, predictions)
        _fill_traits(rows, some, predictions)
        for name in by:
            rows.by[name].code_N[at] = _codes(some.table[name], values[name], name)
    with_values = {name: ByColumn(values=tuple(values[name]), code_N=rows.by[name].code_N) for name in by}
    return Judgement(rows=rows.filled(with_values), extra=predictions.rows - found)


def _fill_scores(rows: JudgedRows, some: Matched, predictions: Predictions) -> None:
    """How right the answers and the best spans are."""
    answers = texts(some.table[predictions.ours("answer")])
    span_column = predictions.ours("span")
    spans = texts(some.table[span_column]) if predictions.has(span_column) else answers
    exact, f1, is_nothing, span_exact, span_f1, null_exact = [], [], [], [], [], []
    for answer, span, golds in zip(answers, spans, some.texts.to_pylist(), strict=True):
        score = score_text(answer or "", golds, convention=rows.convention)
        of_span = score if span == answer else score_text(span or "", golds, convention=rows.convention)
        exact.append(score.exact)
        f1.append(score.f1)
        is_nothing.append(score.is_nothing)
        span_exact.append(of_span.exact and span is not None)
        span_f1.append(of_span.f1 if span is not None else 0)
        null_exact.append(score.null_exact)
    at = some.gold_B
    rows.exact_N[at], rows.f1_N[at], rows.is_nothing_N[at] = exact, f1, is_nothing
    rows.span_exact_N[at], rows.span_f1_N[at], rows.null_exact_N[at] = span_exact, span_f1, null_exact


def _fill_figures(rows: JudgedRows, some: Matched, predictions: Predictions) -> None:
    """What annotate says of its answers, as far as the predictions have it."""
    at, table = some.gold_B, some.table
    if has_scores(predictions):
        start, end, null, partition, confidence = (
            pc.fill_null(as_array(table[predictions.ours(name)]).cast(pa.float64()), np.nan).to_numpy()
            for name in SCORES
        )
        rows.margin_N[at] = start + end - null
        rows.span_log_N[at] = start + end - partition
        rows.confidence_N[at] = confidence
    if predictions.has(name := predictions.ours("status")):
        codes = pc.index_in(as_array(table[name]), value_set=pa.array(STATUSES))
        rows.status_N[at] = pc.fill_null(codes, UNKNOWN).to_numpy()
    else:
        answer = as_array(table[predictions.ours("answer")])
        rows.status_N[at] = np.where(pc.fill_null(pc.equal(answer.cast(pa.string()), ""), True).to_numpy(False), 1, 0)
    if predictions.has(name := predictions.ours("windows")):
        rows.windows_N[at] = pc.fill_null(as_array(table[name]), UNKNOWN).to_numpy()


def _fill_traits(rows: JudgedRows, some: Matched, predictions: Predictions) -> None:
    if predictions.has(name := predictions.context_column):
        contexts = as_array(_plain(some.table[name]))
        rows.context_N[some.gold_B] = context_hashes(contexts)
        rows.context_chars_N[some.gold_B] = text_lengths(contexts)
    if predictions.has(name := predictions.question_column):
        rows.question_word_N[some.gold_B] = question_words(as_array(_plain(some.table[name])))


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(pa.large_string())


def _codes(column: pa.ChunkedArray, values: dict[str, int], name: str) -> list[int]:
    """The code of each value; new ones are added to ``values``."""
    encoded = as_array(column).dictionary_encode() if not pa.types.is_dictionary(column.type) else as_array(column)
    shown = [str(value) for value in encoded.dictionary.to_pylist()]
    codes = [values.setdefault(value, len(values)) for value in shown]
    if len(values) > MOST_VALUES:
        raise InputError(f"`by` must name columns of at most {MOST_VALUES:,} values, but {name!r} has more")
    none = values.setdefault("none", len(values)) if encoded.null_count else UNKNOWN
    return [none if index is None else codes[index] for index in encoded.indices.to_pylist()]
