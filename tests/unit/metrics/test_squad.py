from __future__ import annotations

import string
from collections.abc import Callable, Mapping
from fractions import Fraction
from itertools import groupby
from statistics import mean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ray_qa.errors import InputError
from ray_qa.metrics.squad import Convention, convention_for, normalize_answer, score_predictions, score_text

Golds = Mapping[str, tuple[str, ...]]


@pytest.mark.parametrize(
    ("text", "normalized"),
    [
        ("  The\tquick,\n brown   FOX! ", "quick brown fox"),
        ("an A the THE", ""),
        ("Anna another theatre", "anna another theatre"),
        ("well-known U.S.A.", "wellknown usa"),
        ("a-b", "ab"),
        ("The—A—Team", "— —team"),
        ("“the” café", "“ ” café"),
        ("STRASSE Straße ΟΔΟΣ", "strasse straße οδος"),
        ("東京　の the　都", "東京 の 都"),
        ("no\u00a0break a\u2003space", "no break space"),
        ("...", ""),
        ("", ""),
    ],
)
def test_answers_are_normalized(text: str, normalized: str) -> None:
    assert normalize_answer(text) == normalized


def test_exact_match_takes_any_gold_answer() -> None:
    assert score_text("the Eiffel Tower.", ("tower", "Eiffel tower")).exact == 1
    assert score_text("Eiffel", ("tower", "Eiffel tower")).exact == 0


def test_f1_is_the_harmonic_mean_over_bags_of_words() -> None:
    assert score_text("the big red dog", ("a red dog house",)).f1 == pytest.approx(2 / 3)
    assert score_text("new new york", ("new york new york",)).f1 == pytest.approx(2 * 1 * 0.75 / 1.75)
    assert score_text("cat", ("dog",)).f1 == 0


def test_f1_takes_the_best_gold_answer() -> None:
    assert score_text("in 1999", ("the year 1999", "1999", "1998")).f1 == pytest.approx(2 / 3)


@pytest.mark.parametrize(
    ("prediction", "golds", "v1", "v2"),
    [
        ("", (".",), (1, 0), (1, 1)),
        ("the", ("",), (1, 0), (1, 1)),
        ("dot", (".",), (0, 0), (0, 0)),
        ("", ("dot", "."), (1, 0), (0, 0)),
        ("", ("dot",), (0, 0), (0, 0)),
        ("", (), (0, 0), (1, 1)),
        ("dot", (), (0, 0), (0, 0)),
    ],
)
def test_the_conventions_differ_where_a_side_is_empty(
    prediction: str, golds: tuple[str, ...], v1: tuple[int, int], v2: tuple[int, int]
) -> None:
    for convention, (exact, overlap) in (("v1.1", v1), ("v2.0", v2)):
        assert score_text(prediction, golds, convention=convention).exact == exact  # type: ignore[arg-type]  # parameters are plain texts
        assert score_text(prediction, golds, convention=convention).f1 == overlap  # type: ignore[arg-type]  # parameters are plain texts


def test_v1_scores_missing_rows_zero_and_ignores_extra_ones() -> None:
    golds = {"1": ("Paris",), "2": ("red dog house",), "3": ("Rome",), "4": ("The",)}
    scores = score_predictions(golds, {"1": "paris!", "2": "big red dog", "4": "a", "5": "?", "6": ""})

    assert scores.exact == 50.0
    assert scores.f1 == pytest.approx(100 * (1 + 2 / 3) / 4)
    assert (scores.total, scores.missing, scores.extra) == (4, 1, 2)
    assert (scores.has_answer_exact, scores.has_answer_f1, scores.has_answer_total) == (scores.exact, scores.f1, 4)
    assert (scores.no_answer_exact, scores.no_answer_f1, scores.no_answer_total) == (None, None, 0)


def test_v2_leaves_missing_rows_out_of_every_figure() -> None:
    golds = {"1": ("Paris",), "2": (), "3": ("red dog house",), "4": (), "5": (), "6": ("gone",), "7": ("The",)}
    scores = score_predictions(golds, {"1": "Paris", "2": "", "3": "big red dog", "4": "wrong", "7": "", "x": "y"})

    assert scores.exact == 60.0
    assert scores.f1 == pytest.approx(100 * (3 + 2 / 3) / 5)
    assert (scores.total, scores.missing, scores.extra) == (5, 2, 1)
    assert scores.has_answer_exact == pytest.approx(200 / 3)
    assert scores.has_answer_f1 == pytest.approx(100 * (2 + 2 / 3) / 3)
    assert (scores.no_answer_exact, scores.no_answer_f1) == (50.0, 50.0)
    assert (scores.has_answer_total, scores.no_answer_total) == (3, 2)


def test_one_unanswerable_row_makes_it_v2() -> None:
    assert convention_for({"1": ("x",), "2": ("",)}) == "v1.1"
    assert convention_for({"1": ("x",), "2": ()}) == "v2.0"


def test_figures_without_rows_are_none_or_an_error() -> None:
    scores = score_predictions({"1": ()}, {"1": ""})
    assert (scores.exact, scores.has_answer_exact, scores.has_answer_f1) == (100, None, None)
    with pytest.raises(InputError, match="no row to score"):
        score_predictions({"1": ()}, {"2": ""})


@pytest.mark.parametrize(("extra_row", "convention"), [((), "v1.1"), (("none",), "v2.0")])
def test_floats_are_summed_as_the_official_procedure_sums_them(
    extra_row: tuple[str, ...], convention: Convention
) -> None:
    texts = {str(i): " ".join(["hit"] * (i % 7 + 1) + ["miss"] * (i % 11)) for i in range(500)}
    golds: dict[str, tuple[str, ...]] = dict.fromkeys(texts, ("hit hit hit no no",)) | dict.fromkeys(extra_row, ())
    predictions = texts | dict.fromkeys(extra_row, "")
    values = [score_text(predictions[i], golds[i], convention=convention).f1 for i in golds]
    running_total = 0.0
    for value in values:
        running_total += value

    total = running_total if convention == "v1.1" else sum(values)
    assert score_predictions(golds, predictions).f1 == 100.0 * total / len(values)


def oracle_words(text: str) -> list[str]:
    kept = [char for char in text.lower() if char not in string.punctuation]
    runs = ["".join(run) for _, run in groupby(kept, key=str.isalnum)]
    return "".join(" " if run in {"a", "an", "the"} else run for run in runs).split()


def oracle_overlap(prediction: list[str], gold: list[str], empty_agrees: bool) -> Fraction:
    if prediction == gold == []:
        return Fraction(int(empty_agrees))
    left, shared = list(gold), 0
    for word in prediction:
        if word in left:
            left.remove(word)
            shared += 1
    return Fraction(2 * shared, len(prediction) + len(gold))


def oracle_v1(golds: Golds, predictions: Mapping[str, str]) -> tuple[Fraction, Fraction]:
    exact, overlap = [], []
    for key, texts in golds.items():
        if key in predictions:
            words = oracle_words(predictions[key])
            exact.append(Fraction(any(oracle_words(text) == words for text in texts)))
            overlap.append(max(oracle_overlap(words, oracle_words(text), False) for text in texts))
    return 100 * sum(exact, Fraction()) / len(golds), 100 * sum(overlap, Fraction()) / len(golds)


def oracle_v2(golds: Golds, predictions: Mapping[str, str]) -> tuple[Fraction, Fraction]:
    exact, overlap = [], []
    for key in [key for key in golds if key in predictions]:
        words = oracle_words(predictions[key])
        wanted = [oracle_words(text) for text in golds[key] if oracle_words(text) != []]
        exact.append(Fraction(words in wanted if wanted else not words))
        overlap.append(max([oracle_overlap(words, gold, True) for gold in wanted or [[]]]))
    return 100 * mean(exact), 100 * mean(overlap)


WORDS = st.sampled_from(
    ["the", "A", "an", "dog", "Dog.", "red", "—", "é", "e\u0301", "ß", "東京", "👍🏽", ".", "", "a_b"]
)
TEXTS = st.one_of(st.lists(WORDS, max_size=6).map(" ".join), st.text(max_size=12))
IDS = st.sampled_from("pqrstuvw")
PREDICTIONS = st.dictionaries(IDS, TEXTS, max_size=8)
ANSWERS = st.lists(TEXTS, min_size=1, max_size=3).map(tuple)


@given(TEXTS)
def test_normalizing_agrees_with_a_naive_oracle(text: str) -> None:
    assert normalize_answer(text) == " ".join(oracle_words(text))


@pytest.mark.parametrize(("oracle", "unanswerable"), [(oracle_v1, {}), (oracle_v2, {"n": ()})], ids=["v1.1", "v2.0"])
@settings(max_examples=60)
@given(answers=st.dictionaries(IDS, ANSWERS, min_size=1, max_size=8), predictions=PREDICTIONS, abstention=TEXTS)
def test_scores_agree_with_a_naive_oracle(
    oracle: Callable[[Golds, Mapping[str, str]], tuple[Fraction, Fraction]],
    unanswerable: Golds,
    answers: Golds,
    predictions: Mapping[str, str],
    abstention: str,
) -> None:
    golds = {**answers, **unanswerable}
    predicted = {**predictions, "n": abstention}
    exact, overlap = oracle(golds, predicted)
    scores = score_predictions(golds, predicted)

    assert scores.exact == pytest.approx(float(exact), abs=1e-10)
    assert scores.f1 == pytest.approx(float(overlap), abs=1e-10)
    assert scores.missing == len(set(golds) - set(predicted))
    assert scores.extra == len(set(predicted) - set(golds))
    assert scores.total == scores.has_answer_total + scores.no_answer_total
