"""SQuAD exact match and F1, equal to the official figures to the last digit.

There are two official procedures (Rajpurkar et al. 2016, v1.1; Rajpurkar et al. 2018, v2.0). They differ where it is
easy to miss: in answers that normalise to nothing, in gold rows without a prediction, and in how floats are summed.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Literal

import numpy as np
import numpy.typing as npt

from ray_qa.errors import InputError

Bools = npt.NDArray[np.bool_]
Convention = Literal["v1.1", "v2.0"]
"""Which official procedure is followed.

v1.1: every gold answer counts as it is; F1 is 0 where prediction or gold normalises to nothing; a gold row without a
prediction scores 0. v2.0: gold answers that normalise to nothing are dropped, and a row left without any expects ""; F1
is 1 where both sides are empty; a gold row without a prediction is left out of the figures.
"""

SOME_ROWS = 16_384
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


@dataclass(frozen=True, slots=True, kw_only=True)
class TextScore:
    """How right one text is."""

    exact: int
    """1 if it equals any gold answer once both are normalised, else 0."""
    f1: float
    """Overlap of its words with those of a gold answer, between 0 and 1: the best over the gold answers.

    The harmonic mean of precision and recall over bags of normalised words.
    """
    is_nothing: bool
    """Whether it normalises to nothing."""
    null_exact: int = 0
    """``exact`` that no answer would have in its place."""


def score_predictions(golds: Mapping[str, tuple[str, ...]], predictions: Mapping[str, str]) -> SquadScores:
    """Judge predictions by the convention that suits the gold data.

    Args:
        golds: Gold answers by row id, in data-set order; none means unanswerable.
        predictions: Predicted text by row id; "" means no answer.

    Raises:
        InputError: There is nothing to score, so that no mean exists.
    """
    convention = convention_for(golds)
    wrong = TextScore(exact=0, f1=0, is_nothing=False)
    scores = [
        score_text(predictions[row_id], answers, convention=convention) if row_id in predictions else wrong
        for row_id, answers in golds.items()
    ]
    return official_scores(
        has_answer_N=np.array([bool(answers) for answers in golds.values()], np.bool_),
        is_present_N=np.array([row_id in predictions for row_id in golds], np.bool_),
        exact_N=np.array([score.exact for score in scores], np.bool_),
        f1_N=np.array([score.f1 for score in scores], np.float64),
        is_nothing_N=np.array([score.is_nothing for score in scores], np.bool_),
        convention=convention,
        extra=sum(row_id not in golds for row_id in predictions),
    )


def official_scores(
    *,
    has_answer_N: Bools,
    is_present_N: Bools,
    exact_N: Bools,
    f1_N: npt.NDArray[np.float64],
    is_nothing_N: Bools,
    convention: Convention,
    extra: int,
) -> SquadScores:
    """The official figures of N gold rows in data-set order.

    Args:
        has_answer_N: whether there is an answer.
        is_present_N: whether there is a prediction; without one the other figures of a row are 0.
        exact_N: as in :class:`TextScore`, as is what follows.
        f1_N: 0 to 1.
        is_nothing_N: whether the prediction normalises to nothing.
        convention: the procedure that suits all rows.
        extra: how many predictions there are without a gold row.

    Raises:
        InputError: There is nothing to score, so that no mean exists.
    """
    is_scored_N = is_present_N | (convention == "v1.1")
    if not is_scored_N.any():
        raise InputError("`predictions` must share ids with `gold`, but there is no row to score")
    # An int where both sides are nothing, not a float: see _total.
    is_whole_N = is_nothing_N & (f1_N == 1)

    def exact(chosen_N: Bools) -> float:
        return 100.0 * int(exact_N[chosen_N].sum()) / int(chosen_N.sum())

    def f1(chosen_N: Bools) -> float:
        pairs = _pairs(f1_N[chosen_N], is_whole_N[chosen_N])
        return 100.0 * _total((1 if whole else value for value, whole in pairs), convention) / int(chosen_N.sum())

    with_N, without_N = is_scored_N & has_answer_N, is_scored_N & ~has_answer_N
    return SquadScores(
        exact=exact(is_scored_N),
        f1=f1(is_scored_N),
        total=int(is_scored_N.sum()),
        has_answer_exact=exact(with_N) if with_N.any() else None,
        has_answer_f1=f1(with_N) if with_N.any() else None,
        has_answer_total=int(with_N.sum()),
        no_answer_exact=exact(without_N) if without_N.any() else None,
        no_answer_f1=f1(without_N) if without_N.any() else None,
        no_answer_total=int(without_N.sum()),
        missing=int((~is_present_N).sum()),
        extra=extra,
    )


def convention_for(golds: Mapping[str, tuple[str, ...]]) -> Convention:
    """v2.0 if any gold row is unanswerable, else v1.1."""
    return "v1.1" if all(golds.values()) else "v2.0"


def score_text(prediction: str, golds: Sequence[str], *, convention: Convention = "v2.0") -> TextScore:
    """How right a predicted text is; "" is no answer."""
    normal = normalize_answer(prediction)
    wanted = _normalized(golds, convention)
    words = normal.split()
    agree_on_nothing = int(convention == "v2.0")
    exact = normal in wanted
    f1 = (
        1.0 if exact and words else max((_word_f1(words, gold.split(), agree_on_nothing) for gold in wanted), default=0)
    )
    return TextScore(exact=int(exact), f1=f1, is_nothing=not words, null_exact=int("" in wanted))


def normalize_answer(text: str) -> str:
    """Lower case, without ASCII punctuation and the words a, an, the; single spaces."""
    bare = text.lower().translate(_NO_PUNCTUATION)
    return " ".join(_ARTICLE.sub(" ", bare).split())


def _normalized(golds: Sequence[str], convention: Convention) -> list[str]:
    normalized = [normalize_answer(gold) for gold in dict.fromkeys(golds)]
    if convention == "v1.1":
        return normalized
    return [gold for gold in normalized if gold] or [""]


def _word_f1(predicted: list[str], gold: list[str], agree_on_nothing: int) -> float:
    if not predicted and not gold:
        return agree_on_nothing  # an int, not a float: see _total
    shared = (Counter(predicted) & Counter(gold)).total()
    if shared == 0:
        return 0
    precision = shared / len(predicted)
    recall = shared / len(gold)
    return 2 * precision * recall / (precision + recall)


def _pairs(f1_N: npt.NDArray[np.float64], is_whole_N: Bools) -> Iterator[tuple[float, bool]]:
    """As objects of Python, of which only some thousand are there at a time."""
    for first in range(0, len(f1_N), SOME_ROWS):
        some = slice(first, first + SOME_ROWS)
        yield from zip(f1_N[some].tolist(), is_whole_N[some].tolist(), strict=True)


def _total(values: Iterable[float], convention: Convention) -> float:
    """The sum.

    From Python 3.12 on ``sum`` makes up for the rounding of floats (but not of ints among them), and a running total
    does not. The official v1.1 keeps running totals, v2.0 calls ``sum``.
    """
    return reduce(add, values, 0) if convention == "v1.1" else sum(values)
