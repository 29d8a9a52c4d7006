from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from ray_qa.annotation.summary import count_answers
from ray_qa.data.schemas import N_BEST_FIELD
from ray_qa.errors import ConfigError, InputError, ModelError
from ray_qa.reader.batching import BatchBudget
from ray_qa.reader.reader import Reader
from ray_qa.records import Answer, Row
from ray_qa.settings import MAX_CONTEXT_CHARS
from tests.model.conftest import OpenReader
from tests.tiny import TEXT
from tests.unit.reader.numpy_backend import NumpyBackend

GOOD = [Row(question="Who was Jim Henson?", context=text) for text in TEXT]
GOOD += [Row(question="When?", context=f"{first} {second}") for first, second in pairwise(TEXT)]
BAD = {
    "question_missing": Row(question=None, context="c"),
    "question_empty": Row(question=" \n", context="c"),
    "question_not_unicode": Row(question="\udc80", context="c"),
    "context_missing": Row(question="q", context=None),
    "context_empty": Row(question="q", context="\u00a0"),
    "context_not_unicode": Row(question="q", context="c\ud800"),
    "context_too_long": Row(question="q", context="c" * (MAX_CONTEXT_CHARS + 1)),
}


def assert_alike(got: Answer, expected: Answer) -> None:
    """Equal, but for the rounding of sums that batches of another shape add up in another order."""
    assert (got.status, got.reason, got.windows) == (expected.status, expected.reason, expected.windows)
    assert (got.start, got.end, got.span, got.answer) == (expected.start, expected.end, expected.span, expected.answer)
    for name in ("start_score", "end_score", "null_score", "log_partition", "confidence"):
        assert getattr(got, name) == pytest.approx(getattr(expected, name), abs=1e-3), name


def test_an_answer_says_all_there_is_to_say(tiny: Reader) -> None:
    context = TEXT[2]
    answer = tiny.answer(question="When was the bridge carried away?", context=context)
    assert answer.status in ("answered", "no_answer")
    assert answer.start is not None
    assert answer.end is not None
    assert answer.span == context[answer.start : answer.end]
    assert answer.answer == (answer.span if answer.status == "answered" else None)
    assert answer.reason is None
    assert answer.windows >= 1
    assert answer.log_partition is not None
    assert answer.confidence is not None
    assert 0 < answer.confidence < 1
    assert [(span.text, span.start, span.end) for span in answer.n_best] == [(answer.span, answer.start, answer.end)]


def test_confidence_is_the_share_of_the_outcome(open_tiny: OpenReader) -> None:
    for always in (True, False):
        for answer in open_tiny(always_answer=always).read(GOOD):
            assert answer.start_score is not None
            assert answer.end_score is not None
            assert answer.log_partition is not None
            score = answer.null_score if answer.status == "no_answer" else answer.start_score + answer.end_score
            assert score is not None
            assert answer.confidence == pytest.approx(math.exp(score - answer.log_partition), rel=1e-6)


def test_rows_come_out_once_and_in_order_with_bad_ones_failed(tiny: Reader) -> None:
    rows: list[Row] = []
    for good, bad in zip(GOOD, [*BAD.values(), *BAD.values()], strict=False):
        rows += [good, bad]
    answers = tiny.read(rows)
    assert len(answers) == len(rows)
    reasons = [*BAD, *BAD]
    for at, answer in enumerate(answers):
        if at % 2:
            assert (answer.status, answer.reason, answer.windows) == ("failed", reasons[at // 2], 0)
            assert answer == Answer(status="failed", reason=answer.reason)
        else:
            assert_alike(answer, tiny.answer(question=str(rows[at].question), context=str(rows[at].context)))
    counts = count_answers(answers)
    assert counts.reconcile
    assert counts.failed == len(rows) // 2


def test_only_bad_rows_and_no_rows_need_no_model(tiny: Reader) -> None:
    assert [answer.reason for answer in tiny.read(BAD.values())] == list(BAD)
    assert tiny.read([]) == []


def test_rows_can_be_mappings_and_come_from_an_iterator(tiny: Reader) -> None:
    mappings = ({"question": row.question, "context": row.context, "id": "x"} for row in GOOD)
    assert tiny.read(mappings) == tiny.read(GOOD)


@pytest.mark.parametrize("batch_tokens", [1, 40, 100, 333, 4_096, 1_000_000])
def test_answers_do_not_depend_on_the_size_of_batches(batch_tokens: int, tiny: Reader) -> None:
    other = Reader(
        tokenizer=tiny.tokenizer, backend=tiny.backend, settings=tiny.settings, budget=BatchBudget(batch_tokens)
    )
    for got, expected in zip(other.read(GOOD), tiny.read(GOOD), strict=True):
        assert_alike(got, expected)


def test_answers_do_not_depend_on_the_rows_they_are_read_with(tiny: Reader) -> None:
    together = tiny.read(GOOD)
    backwards = tiny.read(GOOD[::-1])[::-1]
    for row, got, other in zip(GOOD, together, backwards, strict=True):
        alone = tiny.answer(question=str(row.question), context=str(row.context))
        assert_alike(got, alone)
        assert_alike(other, alone)


def test_the_same_rows_give_the_same_answers_to_the_last_bit(tiny: Reader) -> None:
    assert tiny.read(GOOD) == tiny.read(GOOD)


@given(
    contexts=st.lists(
        st.text(
            st.one_of(
                st.characters(exclude_categories=["Cs"]),
                st.sampled_from("ab e\u0301\u200d👩🏽\u00a0\r\n\t\x00\u200b\u2581東<>/[]s"),
            ),
            max_size=120,
        ),
        min_size=1,
        max_size=4,
    )
)
@settings(deadline=None, max_examples=80)
def test_an_answer_is_the_slice_of_its_context_whatever_the_context(tiny: Reader, contexts: list[str]) -> None:
    answers = tiny.read([Row(question="Who was Jim?", context=context) for context in contexts])
    for context, answer in zip(contexts, answers, strict=True):
        if not context.strip():
            assert answer.reason == "context_empty"
        else:
            # A byte-level tokenizer has tokens for whatever there is to see.
            assert answer.status in ("answered", "no_answer")
            assert answer.start is not None
            assert answer.end is not None
            assert 0 <= answer.start < answer.end <= len(context)
            assert context[answer.start : answer.end] == answer.span
            assert answer.span.strip() == answer.span


@given(context=st.text(max_size=80).filter(str.strip), question=st.text(min_size=1, max_size=20).filter(str.strip))
@settings(deadline=None, max_examples=60)
def test_no_question_and_no_context_make_reading_raise(embedded: Reader, question: str, context: str) -> None:
    answer = embedded.answer(question=question, context=context)
    assert answer.status == "failed" or context[answer.start : answer.end] == answer.span


def test_a_reader_answers_through_any_backend(tiny: Reader) -> None:
    words = tiny.backend.limits.vocabulary or 0
    draw = np.random.default_rng(7)
    backend = NumpyBackend(start_logits=draw.normal(size=words), end_logits=draw.normal(size=words))
    reader = Reader(tokenizer=tiny.tokenizer, backend=backend, settings=tiny.settings, budget=BatchBudget(200))
    answers = reader.read(GOOD)
    assert {answer.status for answer in answers} <= {"answered", "no_answer"}
    for row, answer in zip(GOOD, answers, strict=True):
        assert row.context is not None
        assert row.context[answer.start : answer.end] == answer.span
    with pytest.raises(ModelError, match=r"^`backend` must be torch's to give logits and a loss, but is NumpyBackend"):
        reader.logits(question="Who?", context="Ada.")


NO_TEXTS = {
    "a number as question": ({"question": 7, "context": "c"}, "question_not_text"),
    "bytes as context": ({"question": "q", "context": b"c"}, "context_not_text"),
    "a missing key": ({"context": "c"}, "question_missing"),
    "pandas's missing text": ({"question": "q", "context": float("nan")}, "context_missing"),
    "a list": ({"question": ["q"], "context": "c"}, "question_not_text"),
}


@pytest.mark.parametrize(("row", "reason"), NO_TEXTS.values(), ids=NO_TEXTS)
def test_what_is_no_text_is_a_failed_answer_beside_good_ones(row: dict[str, object], reason: str, tiny: Reader) -> None:
    good = {"question": "Who was Jim Henson?", "context": TEXT[0]}
    first, bad, last = tiny.read([good, row, good])
    assert (bad.status, bad.reason) == ("failed", reason)
    assert first == last == tiny.read([good])[0]


POSITIONS = {
    "one alone": (
        {"start_positions": [1]},
        "`end_positions` must be given with `start_positions`, as a loss needs both",
    ),
    "outside": (
        {"start_positions": [1], "end_positions": [99]},
        r"`end_positions` must lie in the window of \d+ tokens",
    ),
    "below": ({"start_positions": [-1], "end_positions": [2]}, "`start_positions` must lie in the window of"),
    "two": ({"start_positions": [1, 2], "end_positions": [2, 3]}, "`start_positions` must hold one position, as there"),
}


@pytest.mark.parametrize(("positions", "line"), POSITIONS.values(), ids=POSITIONS)
def test_positions_that_are_none_of_the_windows_are_refused(
    positions: dict[str, list[int]], line: str, tiny: Reader
) -> None:
    with pytest.raises(InputError, match=f"^{line}"):
        tiny.logits(question="Who?", context="Ada.", **positions)


@pytest.mark.parametrize(
    ("text", "line"), [(None, "must be a text, but is None"), ("a\ud800", "must be text that UTF-8 can")]
)
def test_logits_are_of_texts(text: Any, line: str, tiny: Reader) -> None:
    with pytest.raises(InputError, match=f"^`context` {line}"):
        tiny.logits(question="Who?", context=text)


def test_a_reader_needs_a_budget() -> None:
    with pytest.raises(ConfigError, match=r"^`batch_tokens` must be 'auto' or greater than 0, but is 0"):
        Reader.load("embedded", device="cpu", batch_tokens=0)


@pytest.mark.parametrize("rows", [[("q", "c")], "abc", [GOOD[0], None]])
def test_what_is_no_row_at_all_is_refused_with_its_number(open_tiny: OpenReader, rows: Any) -> None:
    with pytest.raises(InputError, match=r"^rows must be Row records, or mappings with question and context, but row "):
        open_tiny().read(rows)


def test_tables_of_any_library_are_read_as_their_rows_are(tiny: Reader) -> None:
    rows = [*GOOD[:5], BAD["question_missing"], BAD["context_empty"]]
    columns = {name: [getattr(row, name) for row in rows] for name in ("question", "context")}
    expected = tiny.read(rows)
    for frame in (pa.table(columns), pd.DataFrame(columns), pl.DataFrame(columns), Dataset.from_dict(columns)):
        assert tiny.read(frame) == expected
    assert tiny.read(pa.table({"question": ["q", None], "context": [1, 2]}))[0].reason == "context_not_text"
    assert tiny.read(pa.table({"question": pa.nulls(1), "context": ["c"]}))[0].reason == "question_missing"


def test_a_table_gets_the_columns_that_annotate_adds(open_tiny: OpenReader) -> None:
    reader = open_tiny(n_best=2)
    rows = pd.DataFrame({"id": [7, 8], "q": ["Who?", None], "text": TEXT[:2]})
    table = reader.read_table(rows, question_column="q", context_column="text", keep=["id"], prefix="a_")
    answers = reader.read(
        [Row(question=question, context=text) for question, text in zip(rows.q, rows.text, strict=True)]
    )
    assert table.column_names[:3] == ["id", "a_answer", "a_span"]
    assert table.schema.field("a_n_best").type == N_BEST_FIELD.type
    assert table["id"].to_pylist() == [7, 8]
    assert table["a_span"].to_pylist() == [answer.span for answer in answers]
    assert table["a_reason"].to_pylist() == [None, "question_missing"]
    whole = reader.read_table(pl.DataFrame({"question": ["Who?"], "context": TEXT[:1]}))
    assert whole["context"].to_pylist() == [TEXT[0]]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (3, r"^rows must be Row records, mappings or a table, but are int: 3$"),
        (pl.LazyFrame({"question": []}), r"^rows must be Row records, mappings or a table, but are LazyFrame: "),
        (
            pa.table({"q": [1]}),
            r"^rows must have one column 'question', but there are: q; use read_table to name others$",
        ),
    ],
)
def test_what_is_no_rows_is_refused(tiny: Reader, rows: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        tiny.read(rows)


def test_a_table_without_the_columns_or_with_ours_is_refused(tiny: Reader) -> None:
    with pytest.raises(InputError, match=r"`context_column` must name one column of the input, but is 'context'"):
        tiny.read_table(pa.table({"question": ["q"]}))
    with pytest.raises(InputError, match=r"no column that annotate adds, but has 'answer'; rename ours"):
        tiny.read_table(pa.table({"question": ["q"], "context": ["c"], "answer": ["a"]}))
