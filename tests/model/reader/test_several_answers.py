from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import pytest

from ray_qa.errors import ConfigError
from ray_qa.reader.backend import Backend, WindowScores
from ray_qa.reader.batching import BatchBudget
from ray_qa.reader.collate import Batch
from ray_qa.reader.limits import Limits
from ray_qa.reader.reader import Reader
from ray_qa.records import Row
from ray_qa.settings import ReadingSettings
from tests.model.conftest import EXACT, SMALL, OpenReader
from tests.model.reader.oracle import read_plainly
from tests.tiny import TEXT, tiny_model

QUESTION = "Who was Jim?"
LONG = " ".join(TEXT)
ROWS = [Row(question=QUESTION, context=context) for context in (*TEXT, LONG)]


@dataclass(slots=True)
class CountingBackend:
    """A backend of another's that counts the windows that come to it."""

    inner: Backend
    windows: int = 0

    @property
    def limits(self) -> Limits:
        return self.inner.limits

    @property
    def token_multiple(self) -> int:
        return self.inner.token_multiple

    def score(self, batch: Batch, null_position: int, settings: ReadingSettings) -> WindowScores:
        self.windows += len(batch.window_W)
        return self.inner.score(batch, null_position, settings)


@pytest.mark.parametrize("model", ["roberta", "bert", "xlm-roberta", "deberta-v2"])
def test_mentions_are_the_spans_of_all_windows_taken_greedily(model: str, tmp_path: Path) -> None:
    settings = ReadingSettings.model_validate(SMALL.model_dump() | {"answers_per_row": 12})
    reader = Reader.load(str(tiny_model(tmp_path, model)), settings=settings, device="cpu", **EXACT)
    for context in (LONG, TEXT[3]):
        expected: list[tuple[int, int]] = []
        for start, end in read_plainly(tmp_path, QUESTION, context, settings).ranked:
            if all(end <= other[0] or other[1] <= start for other in expected):
                expected.append((start, end))
        mentions = reader.answer(question=QUESTION, context=context).mentions
        assert [(one.start, one.end) for one in mentions] == expected[:12]
        assert len(mentions) > 3


def test_mentions_begin_with_the_span_and_have_their_own_texts_and_confidences(open_tiny: OpenReader) -> None:
    for threshold in (1e6, -1e6):  # rows that abstain have them all the same
        for row, answer in zip(ROWS, open_tiny(answers_per_row=5, null_threshold=threshold).read(ROWS), strict=True):
            first = answer.mentions[0]
            assert (first.text, first.start, first.end) == (answer.span, answer.start, answer.end)
            assert (first.start_score, first.end_score) == (answer.start_score, answer.end_score)
            assert answer.status == "no_answer" or first.confidence == answer.confidence
            assert answer.log_partition is not None
            for one in answer.mentions:
                assert one.text == str(row.context)[one.start : one.end]
                assert one.text.strip()
                share = math.exp(one.start_score + one.end_score - answer.log_partition)
                assert one.confidence == pytest.approx(share)
            assert sum(one.confidence for one in answer.mentions) <= 1
            shares = [one.confidence for one in answer.mentions]
            assert shares == sorted(shares, reverse=True)


def test_fewer_are_the_first_of_more_and_change_nothing_else(open_tiny: OpenReader) -> None:
    one, three, many = (open_tiny(answers_per_row=most).read(ROWS) for most in (1, 3, 1_000))
    for plain, few, all_of_them in zip(one, three, many, strict=True):
        assert plain.mentions == ()
        assert len(few.mentions) <= 3
        assert few.mentions == all_of_them.mentions[:3]
        assert few.n_best == plain.n_best
        assert (few.answer, few.confidence, few.log_partition) == (plain.answer, plain.confidence, plain.log_partition)
    assert len(many[-1].mentions) > 20


def test_mentions_below_the_confidence_are_left_out_be_it_all_of_them(open_tiny: OpenReader) -> None:
    answers = open_tiny(answers_per_row=50).read(ROWS)
    middle = sorted(one.confidence for answer in answers for one in answer.mentions)[len(ROWS) * 2]
    for every, some in zip(answers, open_tiny(answers_per_row=50, min_confidence=middle).read(ROWS), strict=True):
        assert some.mentions == tuple(one for one in every.mentions if one.confidence >= middle)
    assert all(not answer.mentions for answer in open_tiny(answers_per_row=50, min_confidence=1).read(ROWS))
    with pytest.raises(ConfigError, match=r"^`min_confidence` must be 0 unless `answers_per_row` is above 1"):
        ReadingSettings(min_confidence=0.5)


def test_failed_rows_have_no_mentions(open_tiny: OpenReader) -> None:
    bad, good = open_tiny(answers_per_row=2).read([Row(question=None, context="c"), ROWS[0]])
    assert (bad.status, bad.mentions) == ("failed", ())
    assert len(good.mentions) == 2


def test_rows_that_are_alike_are_scored_once_and_all_have_the_answer(tiny: Reader) -> None:
    rows = [
        ROWS[0],
        ROWS[1],
        Row(question=f"  {ROWS[0].question}", context=ROWS[0].context),
        ROWS[1],
        ROWS[-1],
        ROWS[0],
    ]
    counting = CountingBackend(tiny.backend)
    reader = Reader(tokenizer=tiny.tokenizer, backend=counting, settings=tiny.settings, budget=BatchBudget(200))
    answers = reader.read(rows)
    distinct = [tiny.answer(str(row.question), str(row.context)) for row in (rows[0], rows[1], rows[4])]
    assert counting.windows == sum(answer.windows for answer in distinct)
    for got, nth in zip(answers, (0, 1, 0, 1, 2, 0), strict=True):
        assert (got.span, got.start, got.end, got.windows) == (
            distinct[nth].span,
            distinct[nth].start,
            distinct[nth].end,
            distinct[nth].windows,
        )
        assert got.log_partition == pytest.approx(distinct[nth].log_partition, abs=1e-3)
    assert answers == Reader(
        tokenizer=tiny.tokenizer, backend=tiny.backend, settings=tiny.settings, budget=BatchBudget(200)
    ).read(rows)


def test_rows_that_fail_alike_keep_their_own_reasons(tiny: Reader) -> None:
    rows = [Row(question=None, context="c"), Row(question="q", context=None), Row(question="", context="c"), ROWS[0]]
    answers = tiny.read([*rows, *rows])
    assert [answer.reason for answer in answers] == ["question_missing", "context_missing", "question_empty", None] * 2


def test_a_context_is_too_long_above_the_characters_that_are_set(open_tiny: OpenReader) -> None:
    reader = open_tiny(max_context_chars=len(TEXT[0]))
    at_most, above = reader.read([{"question": "q", "context": context} for context in (TEXT[0], f"{TEXT[0]}a")])
    assert at_most.status != "failed"
    assert (above.status, above.reason, above.windows) == ("failed", "context_too_long", 0)
