"""How right each row is: plain arrays, some 60 bytes a row, from which all that is said of answers is computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from ray_qa.metrics.squad import Convention

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

STATUSES = ("answered", "no_answer", "failed")
UNKNOWN = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedRows:
    """N rows with gold answers, in the order of these; what is not known of a row is ``UNKNOWN``, or NaN."""

    convention: Convention
    is_present_N: Bools
    """Whether there is a prediction; the figures of a row without one are 0, UNKNOWN or NaN."""
    row_N: npt.NDArray[np.int64]
    """Which row of the predictions it is."""
    has_answer_N: Bools
    exact_N: Bools
    """SQuAD exact match of what was answered; of no answer too, where the convention is v2.0."""
    f1_N: Floats
    """SQuAD F1 of what was answered, 0 to 1."""
    is_nothing_N: Bools
    """Whether what was answered normalises to nothing."""
    span_exact_N: Bools
    """Exact match of the best span, whether or not it was given as the answer."""
    span_f1_N: npt.NDArray[np.float32]
    null_exact_N: Bools
    """Exact match of no answer, whether or not it was given."""
    margin_N: Floats
    """Best span score − null score."""
    span_log_N: Floats
    """Best span score − log partition: log of the raw probability that the best span has."""
    confidence_N: npt.NDArray[np.float32]
    status_N: npt.NDArray[np.int8]
    """Index into ``STATUSES``."""
    windows_N: npt.NDArray[np.int32]
    context_N: npt.NDArray[np.int32] | npt.NDArray[np.uint64]
    """The number of its context: rows of one context are not independent. While rows are filled in, a hash of it; of a
    row without context it is the row's own."""
    context_chars_N: npt.NDArray[np.int32]
    question_word_N: npt.NDArray[np.int8]
    """Index into ``traits.QUESTION_WORDS``."""
    answer_words_N: npt.NDArray[np.int16]
    """Words of the shortest gold answer; 0 where there is none."""
    by: Mapping[str, ByColumn] = field(default_factory=dict)
    """Columns that rows are told apart by, by name."""

    def __len__(self) -> int:
        return len(self.exact_N)

    def where(self, chosen_N: npt.NDArray[Any]) -> JudgedRows:
        """The rows of a mask, or of indices."""
        arrays = {each.name: getattr(self, each.name)[chosen_N] for each in fields(self) if each.name.endswith("_N")}
        by = {name: ByColumn(values=of.values, code_N=of.code_N[chosen_N]) for name, of in self.by.items()}
        return JudgedRows(convention=self.convention, by=by, **arrays)

    def filled(self, by: Mapping[str, ByColumn]) -> JudgedRows:
        """The same rows, with these columns, when all that is known of them is filled in."""
        return replace(self, by=by, context_N=_numbers(self.context_N))


@dataclass(frozen=True, slots=True, kw_only=True)
class ByColumn:
    """A column of few values."""

    values: tuple[str, ...]
    code_N: npt.NDArray[np.int32]
    """Index into ``values``."""


def _numbers(hash_N: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
    """A number from 0 for each hash, in their order; as np.unique, in a third of its memory."""
    order = np.argsort(hash_N)
    sorted_N = hash_N[order]
    is_new_N = np.append(False, sorted_N[1:] != sorted_N[:-1])[: len(hash_N)]
    del sorted_N
    number_N = np.empty(len(hash_N), np.int32)
    number_N[order] = np.cumsum(is_new_N, dtype=np.int32)
    return number_N


def empty_rows(rows: int, convention: Convention, by: Sequence[str]) -> JudgedRows:
    """So many rows of which nothing is known yet, to be filled in.

    Args:
        rows: N.
        convention: the procedure that suits all of the gold data.
        by: the columns that rows are told apart by; their values are only known in the end.
    """
    return JudgedRows(
        convention=convention,
        is_present_N=np.zeros(rows, np.bool_),
        row_N=np.full(rows, UNKNOWN, np.int64),
        has_answer_N=np.zeros(rows, np.bool_),
        exact_N=np.zeros(rows, np.bool_),
        f1_N=np.zeros(rows, np.float64),
        is_nothing_N=np.zeros(rows, np.bool_),
        span_exact_N=np.zeros(rows, np.bool_),
        span_f1_N=np.zeros(rows, np.float32),
        null_exact_N=np.zeros(rows, np.bool_),
        margin_N=np.full(rows, np.nan, np.float64),
        span_log_N=np.full(rows, np.nan, np.float64),
        confidence_N=np.full(rows, np.nan, np.float32),
        status_N=np.full(rows, UNKNOWN, np.int8),
        windows_N=np.full(rows, UNKNOWN, np.int32),
        context_N=np.arange(rows, dtype=np.uint64),
        context_chars_N=np.full(rows, UNKNOWN, np.int32),
        question_word_N=np.full(rows, UNKNOWN, np.int8),
        answer_words_N=np.zeros(rows, np.int16),
        by={name: ByColumn(values=(), code_N=np.full(rows, UNKNOWN, np.int32)) for name in by},
    )
