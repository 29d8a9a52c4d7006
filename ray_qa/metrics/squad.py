"""SQuAD exact match and F1, equal to the official figures to the last digit.

There are two official procedures (Rajpurkar et al. 2016, v1.1; Rajpurkar et al. 2018, v2.0). They differ where it is
easy to miss: in answers that normalise to nothing, in gold rows without a prediction, and in how floats are summed.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Literal

from ray_qa.errors import InputError

Convention = Literal["v1.1", "v2.0"]
"""Which official procedure is followed.

v1.1: every gold answer counts as it is; F1 is 0 where prediction or gold normalises to nothing; a gold row without a
prediction scores 0. v2.0: gold answers that normalise to nothing are dropped, and a row left without any expects ""; F1
is 1 where both sides are empty; a gold row without a prediction is left out of the figures.
"""

_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLE = re.compile(r"\b(?:an?|the)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class SquadScores:
    """Exact match and F1 in percent, over all rows and apart for rows with and without an answer in the gold data.

    The figures of a kind of row that does not occur are ``None``.
    """

    exact: float
    f1: float
    total: int
    has_answer_exact: float | None
    has_answer_f1: float | None
    has_answer_total: int
    no_answer_exact: float | None
    no_answer_f1: float | None
    no_answer_total: int
    missing: int
    """Gold rows without a prediction."""
    extra: int
    """Predictions without a gold row; they are ignored."""


def score_predictions(golds: Mapping[str, tuple[str, ...]], predictions: Mapping[str, str]) -> SquadScores:
    """Judge predictions by the convention that suits the gold data.

    Args:
        golds: Gold answers by row id, in data-set order; none means unanswerable.
        predictions: Predicted text by row id; "" means no answer.

    Raises:
        InputError: There is nothing to score, so that no mean exists.
    """
    convention = convention_for(golds)
    rows = [
        _score_row(predictions.get(row_id), answers, convention)
        for row_id, answers in golds.items()
        if row_id in predictions or convention == "v1.1"
    ]
    if not rows:
        raise InputError("`predictions` must share ids with `gold`, but there is no row to score")
    has_answer = [row for row in rows if row.has_answer]
    no_answer = [row for row in rows if not row.has_answer]
    return SquadScores(
        exact=_percent([row.exact for row in rows], convention),
        f1=_percent([row.f1 for row in rows], convention),
        total=len(rows),
        has_answer_exact=_percent_if_any([row.exact for row in has_answer], convention),
        has_answer_f1=_percent_if_any([row.f1 for row in has_answer], convention),
        has_answer_total=len(has_answer),
        no_answer_exact=_percent_if_any([row.exact for row in no_answer], convention),
        no_answer_f1=_percent_if_any([row.f1 for row in no_answer], convention),
        no_answer_total=len(no_answer),
        missing=sum(row_id not in predictions for row_id in golds),
        extra=sum(row_id not in golds for row_id in predictions),
    )


def convention_for(golds: Mapping[str, tuple[str, ...]]) -> Convention:
    """v2.0 if any gold row is unanswerable, else v1.1."""
    return "v1.1" if all(golds.values()) else "v2.0"


def exact_match(prediction: str, golds: Sequence[str], *, convention: Convention = "v2.0") -> int:
    """1 if the prediction equals any gold answer once both are normalised, else 0."""
    return int(normalize_answer(prediction) in _normalized(golds, convention))


def f1(prediction: str, golds: Sequence[str], *, convention: Convention = "v2.0") -> float:
    """Overlap of the words of prediction and gold, between 0 and 1: the best over the gold answers.

    The harmonic mean of precision and recall over bags of normalised words.
    """
    words = normalize_answer(prediction).split()
    agree_on_nothing = int(convention == "v2.0")
    scores = (_word_f1(words, gold.split(), agree_on_nothing) for gold in _normalized(golds, convention))
    return max(scores, default=0)


def normalize_answer(text: str) -> str:
    """Lower case, without ASCII punctuation and the words a, an, the; single spaces."""
    bare = text.lower().translate(_NO_PUNCTUATION)
    return " ".join(_ARTICLE.sub(" ", bare).split())


@dataclass(frozen=True, slots=True, kw_only=True)
class _RowScore:
    has_answer: bool
    exact: int
    f1: float


def _score_row(prediction: str | None, golds: tuple[str, ...], convention: Convention) -> _RowScore:
    if prediction is None:
        return _RowScore(has_answer=bool(golds), exact=0, f1=0)
    return _RowScore(
        has_answer=bool(golds),
        exact=exact_match(prediction, golds, convention=convention),
        f1=f1(prediction, golds, convention=convention),
    )


def _normalized(golds: Sequence[str], convention: Convention) -> list[str]:
    normalized = [normalize_answer(gold) for gold in golds]
    if convention == "v1.1":
        return normalized
    return [gold for gold in normalized if gold] or [""]


def _word_f1(predicted: list[str], gold: list[str], agree_on_nothing: int) -> float:
    if not predicted and not gold:
        return agree_on_nothing  # an int, not a float: see _percent
    shared = (Counter(predicted) & Counter(gold)).total()
    if shared == 0:
        return 0
    precision = shared / len(predicted)
    recall = shared / len(gold)
    return 2 * precision * recall / (precision + recall)


def _percent(values: Sequence[float], convention: Convention) -> float:
    """The mean, times 100.

    From Python 3.12 on ``sum`` makes up for the rounding of floats (but not of ints among them), and a running total
    does not. The official v1.1 keeps running totals, v2.0 calls ``sum``.
    """
    total = reduce(add, values, 0) if convention == "v1.1" else sum(values)
    return 100.0 * total / len(values)


def _percent_if_any(values: Sequence[float], convention: Convention) -> float | None:
    return _percent(values, convention) if values else None
