from __future__ import annotations

import pytest

from ray_qa.records import Row
from tests.model.conftest import OpenReader
from tests.tiny import TEXT

ROWS = [Row(question="Who was Jim Henson?", context=text) for text in TEXT]


def margins(open_tiny: OpenReader) -> list[float]:
    """Null score − best span score of every row."""
    return [
        float(answer.null_score or 0.0) - answer.n_best[0].score for answer in open_tiny(always_answer=True).read(ROWS)
    ]


def test_always_answer_never_abstains(open_tiny: OpenReader) -> None:
    answers = open_tiny(always_answer=True, null_threshold=-1e9).read(ROWS)
    assert [answer.status for answer in answers] == ["answered"] * len(ROWS)
    assert all(answer.answer == answer.span for answer in answers)


def test_a_row_abstains_where_the_null_beats_its_span_by_more_than_the_threshold(open_tiny: OpenReader) -> None:
    apart = margins(open_tiny)
    threshold = sorted(apart)[len(apart) // 2] - 1e-3
    answers = open_tiny(null_threshold=threshold).read(ROWS)
    expected = ["no_answer" if margin > threshold else "answered" for margin in apart]
    assert [answer.status for answer in answers] == expected
    assert len(set(expected)) == 2


@pytest.mark.parametrize("threshold", [-1e6, 1e6])
def test_span_and_scores_describe_the_best_span_whether_or_not_it_is_given(
    threshold: float, open_tiny: OpenReader
) -> None:
    given_anyway = open_tiny(always_answer=True).read(ROWS)
    for got, best in zip(open_tiny(null_threshold=threshold).read(ROWS), given_anyway, strict=True):
        assert (got.span, got.start, got.end) == (best.span, best.start, best.end)
        assert (got.start_score, got.end_score) == (best.start_score, best.end_score)
        assert got.log_partition == best.log_partition
        assert got.answer == (None if threshold < 0 else best.answer)


@pytest.mark.parametrize("n_best", [2, 7, 1000])
def test_n_best_spans_are_distinct_ranked_and_begin_with_the_answer(n_best: int, open_tiny: OpenReader) -> None:
    for row, answer, single in zip(
        ROWS, open_tiny(n_best=n_best).read(ROWS), open_tiny(n_best=1).read(ROWS), strict=True
    ):
        spans = answer.n_best
        assert 1 <= len(spans) <= n_best
        assert len({(span.start, span.end) for span in spans}) == len(spans)
        assert [span.score for span in spans] == sorted((span.score for span in spans), reverse=True)
        assert (spans[0].start, spans[0].end) == (answer.start, answer.end) == (single.start, single.end)
        assert all(str(row.context)[span.start : span.end] == span.text for span in spans)


def test_n_best_does_not_change_the_confidence(open_tiny: OpenReader) -> None:
    for one, many in zip(open_tiny(n_best=1).read(ROWS), open_tiny(n_best=20).read(ROWS), strict=True):
        assert many.confidence == pytest.approx(one.confidence, rel=1e-9)


def test_a_context_with_fewer_spans_than_asked_for_gives_all_it_has(open_tiny: OpenReader) -> None:
    answer = open_tiny(n_best=50).answer(question="Who?", context="ab")
    assert {span.text for span in answer.n_best} <= {"a", "b", "ab"}


@pytest.mark.parametrize("longest", [1, 3])
def test_no_span_is_longer_than_max_answer_tokens(longest: int, open_tiny: OpenReader) -> None:
    reader = open_tiny(max_answer_tokens=longest, n_best=100)
    for row, answer in zip(ROWS, reader.read(ROWS), strict=True):
        encoded = reader.tokenizer.encode([row], 12)
        starts, ends = encoded.context_start.tolist(), encoded.context_end.tolist()
        allowed = {
            (starts[first], ends[last])
            for first in range(len(starts))
            for last in range(first, min(first + longest, len(starts)))
        }
        assert {(span.start, span.end) for span in answer.n_best} <= allowed
