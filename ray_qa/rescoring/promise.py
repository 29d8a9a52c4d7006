"""The threshold of a promise: reviewed rows say how strict it must be for answers to be right often enough."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ray_qa.errors import InputError
from ray_qa.judging.judge import read_judgement
from ray_qa.judging.judged_rows import JudgedRows
from ray_qa.judging.predictions import open_predictions
from ray_qa.metrics.promises import Trial, fewest_rows, highest_precision, labels_that_would_do, promised_threshold
from ray_qa.rescoring.config import RescoreConfig
from ray_qa.runs.annotated_rows import Source, batches, in_pairs
from ray_qa.runs.live_line import counted

_LOG = logging.getLogger(__name__)
Floats = npt.NDArray[np.float64]
MOST_ROWS = 4_000_000
"""Of a larger corpus about so many rows, drawn at random, say where thresholds lie."""
BATCH_ROWS = 65_536
RIGHT_F1 = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class PromiseMade:
    """What is promised of the answers that are given, and by what."""

    target: float
    confidence: float
    right_when: str
    null_threshold: float
    gold_rows: int
    """Reviewed rows that could be read."""
    gold_answered: int
    """Those of them that are answered."""
    gold_right: int
    share: float
    """Of the corpus's rows that could be read: those that are answered."""
    tested: int
    """Thresholds."""


def make_promise(config: RescoreConfig, source: Source) -> PromiseMade:
    """Find the loosest threshold that keeps the promise which is asked for.

    Raises:
        InputError: if gold rows are not of these rows, too few, or not right often enough.
    """
    assert config.target_precision is not None
    rows = _gold_rows(config)
    is_read_N = np.isfinite(rows.margin_N)
    excess_N, right_N = -rows.margin_N[is_read_N], _right(rows, config.right_when)[is_read_N]
    _check_enough(config, config.target_precision, len(excess_N))
    promise = promised_threshold(
        _excess(in_pairs(source, config.id_column)), excess_N, right_N, config.target_precision, config.confidence
    )
    if promise.kept is None:
        raise InputError(_too_often_wrong(config, config.target_precision, promise.trials[0], len(excess_N)))
    return PromiseMade(
        target=config.target_precision,
        confidence=config.confidence,
        right_when=config.right_when,
        null_threshold=promise.kept.threshold,
        gold_rows=len(excess_N),
        gold_answered=promise.kept.accepted,
        gold_right=promise.kept.right,
        share=promise.kept.share,
        tested=len(promise.trials),
    )


def in_words(promise: PromiseMade) -> str:
    """What is promised, what it costs, and what it assumes."""
    right = "right" if promise.right_when == "exact" else f"right (F1 of at least {RIGHT_F1:g})"
    return (
        f"promised with {_percent(promise.confidence)} confidence: of the answers given at least "
        f"{_percent(promise.target)} are {right}, if gold rows were drawn at random from these. Of "
        f"{promise.gold_rows:,} of them {promise.gold_answered:,} are answered, {promise.gold_right:,} right "
        f"({_percent(promise.gold_right / promise.gold_answered)}); of all rows {_percent(promise.share)} are answered"
    )


def _gold_rows(config: RescoreConfig) -> JudgedRows:
    predictions = open_predictions(config.input, prefix="", partial=False, id_column=config.id_column, setting="input")
    rows = read_judgement(predictions, config.gold, config.id_column).rows
    if missing := int((~rows.is_present_N).sum()):
        _LOG.warning(f"{counted(missing, 'row')} of `gold` are not in `input`, and are left out")
    return rows


def _right(rows: JudgedRows, right_when: str) -> npt.NDArray[np.bool_]:
    """Whether best spans are right; where there is no answer none is."""
    is_right_N = rows.span_exact_N if right_when == "exact" else rows.span_f1_N >= RIGHT_F1
    return np.asarray(is_right_N & rows.has_answer_N, np.bool_)


def _check_enough(config: RescoreConfig, target: float, rows: int) -> None:
    if rows < (wanted := fewest_rows(target, config.confidence)):
        raise InputError(
            f"`gold` must have at least {wanted:,} rows of `input` to promise {_percent(target)} with "
            f"{_percent(config.confidence)} confidence, but has {rows:,}; label {wanted - rows:,} more, drawn at "
            "random by ray-qa sample --random"
        )


def _too_often_wrong(config: RescoreConfig, target: float, trial: Trial, rows: int) -> str:
    return (
        f"`gold` must support a precision of {_percent(target)} with {_percent(config.confidence)} confidence, but of "
        f"its {trial.accepted:,} rows with the surest answers {trial.right:,} are right "
        f"({_percent(trial.right / max(1, trial.accepted))}); "
        f"{_advice(trial, target, config.confidence, rows)}"
    )


def _advice(trial: Trial, target: float, confidence: float, rows: int) -> str:
    """What to do about a target that the surest answers do not support: whether more labels could."""
    highest = highest_precision(trial)
    if highest < target:
        return "more labels would not change that: ask for less, or take a better model"
    if labels := labels_that_would_do(trial, target, confidence):
        return f"if more were right as often, {max(labels, rows + 1):,} rows in all would do"
    chance = f"chance may have done it, as up to {_percent(highest)} of such rows may be right"
    labels = labels_that_would_do(trial, target, confidence, rate=highest)
    if labels is None:
        return f"{chance}, but no number of labels that one can make would tell: ask for less, or take a better model"
    return f"{chance}: only more labels can tell, and if so many are, {max(labels, rows + 1):,} rows in all would do"


def _excess(source: Source) -> Floats:
    """Null score − best span score of the rows that could be read."""
    rows = source.rows
    some = list(_excess_of_batches(source, min(1.0, MOST_ROWS / max(1, rows))))
    return np.concatenate(some)


def _excess_of_batches(source: Source, share: float) -> Iterator[Floats]:
    random = np.random.default_rng(0)
    columns = [source.ours(name) for name in ("start_score", "end_score", "null_score")]
    for batch in batches(source, columns, BATCH_ROWS):
        start, end, null = (batch.column(name).to_numpy(zero_copy_only=False) for name in columns)
        excess = null - (start + end)
        excess = excess[np.isfinite(excess)]
        yield excess if share == 1 else excess[random.random(len(excess)) < share]


def _percent(share: float) -> str:
    return f"{100 * share:.4g} %"
