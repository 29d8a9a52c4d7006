"""Outcomes anew: a part's answers, statuses and confidences under another rule, from its scores, column by column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ray_qa.data.answer_columns import as_array
from ray_qa.errors import InputError
from ray_qa.reader.answers import CERTAIN
from ray_qa.reader.calibration import Decision, Scale

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

SCORES = ("start_score", "end_score", "null_score", "log_partition")
CHANGED = ("answer", "confidence", "status")
READ = ("span", *SCORES, *CHANGED)
SMALLEST_LOGIT = -700.0
"""Below it a confidence is 0, as in ``ray_qa.reader.answers.confidence``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What makes an outcome of scores."""

    decision: Decision
    """When there is no answer, and what confidence stands for."""
    always_answer: bool = False

    def same_confidence_as(self, other: Rule) -> bool:
        """Whether outcomes that do not change keep their confidence."""
        return self.decision == replace(other.decision, null_threshold=self.decision.null_threshold)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """How many rows of a part came to which end, and how many of them came to another one before."""

    answered: int
    no_answer: int
    failed: int
    changed: int

    def __add__(self, other: Outcomes) -> Outcomes:
        return Outcomes(
            answered=self.answered + other.answered,
            no_answer=self.no_answer + other.no_answer,
            failed=self.failed + other.failed,
            changed=self.changed + other.changed,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RescoredTable:
    """A part's table with other outcomes."""

    table: pa.Table
    outcomes: Outcomes


def rescored_table(table: pa.Table, prefix: str, wide: Sequence[str], rule: Rule, before: Rule) -> RescoredTable:
    """A part's table under another rule; all other columns are those of the table.

    Args:
        table: the part's.
        prefix: of the columns that annotate added.
        wide: the question ids of an output whose answers are a struct column each, else none.
        rule: the new one.
        before: the one that the part was made by.

    Raises:
        InputError: if a row that has not failed has no finite scores; it names column and row.
    """
    outcomes = Outcomes(answered=0, no_answer=0, failed=0, changed=0)
    if not wide:
        columns = {name: as_array(table[prefix + name]) for name in READ}
        changed, outcomes = _rescored(columns, rule, before, prefix)
        for name, array in changed.items():
            table = _with(table, prefix + name, array)
        return RescoredTable(table=table, outcomes=outcomes)
    for question in wide:
        structs = as_array(table[prefix + question])
        fields = list(structs.type)
        arrays = dict(zip([field.name for field in fields], structs.flatten(), strict=True))
        changed, some = _rescored(arrays, rule, before, f"{prefix}{question}.")
        arrays |= changed
        rebuilt = pa.StructArray.from_arrays(list(arrays.values()), fields=fields)
        table, outcomes = _with(table, prefix + question, rebuilt), outcomes + some
    return RescoredTable(table=table, outcomes=outcomes)


def confidences(score_R: Floats, log_partition_R: Floats, scale: Scale) -> Floats:
    """:func:`ray_qa.reader.answers.confidence` of R rows at once; equal to it but for the last bits (1e-12 relative).

    NumPy's exponentials depend on the machine in their last bit, and the reader computes row by row without them.
    """
    log_raw_R = np.minimum(0.0, score_R - log_partition_R)
    with np.errstate(divide="ignore", over="ignore"):
        log_rest_R = np.maximum(np.log(-np.expm1(log_raw_R)), -CERTAIN)
        logit_R = scale.slope * log_raw_R - scale.rest_slope * log_rest_R + scale.shift
        return np.where(logit_R > SMALLEST_LOGIT, 1 / (1 + np.exp(-logit_R)), 0.0)


def _rescored(
    columns: dict[str, pa.Array], rule: Rule, before: Rule, prefix: str
) -> tuple[dict[str, pa.Array], Outcomes]:
    """The columns that change, in the types that they had."""
    decision = rule.decision
    failed_R = _is(columns["status"], "failed")
    start_R, end_R, null_R, partition_R = (_finite(columns[name], failed_R, prefix + name) for name in SCORES)
    span_score_R = start_R + end_R
    abstains_R = ~failed_R & (null_R - span_score_R > decision.null_threshold) & (not rule.always_answer)
    changed_R = ~failed_R & (abstains_R != _is(columns["status"], "no_answer"))
    recomputed_R = changed_R if rule.same_confidence_as(before) else ~failed_R
    confidence_R = np.where(
        abstains_R,
        confidences(null_R, partition_R, decision.null),
        confidences(span_score_R, partition_R, decision.span),
    )
    outcomes = Outcomes(
        answered=int((~failed_R & ~abstains_R).sum()),
        no_answer=int(abstains_R.sum()),
        failed=int(failed_R.sum()),
        changed=int(changed_R.sum()),
    )
    none = pa.scalar(None, columns["answer"].type)
    span = columns["span"].cast(columns["answer"].type)
    statuses = pc.if_else(pa.array(abstains_R), "no_answer", "answered")
    changed = {
        "answer": pc.if_else(pa.array(failed_R | abstains_R), none, span),
        "confidence": pc.if_else(pa.array(recomputed_R), pa.array(confidence_R), columns["confidence"]),
        "status": pc.if_else(pa.array(failed_R), columns["status"], statuses.cast(columns["status"].type)),
    }
    return changed, outcomes


def _finite(scores: pa.Array, failed_R: Bools, name: str) -> Floats:
    values_R = np.asarray(pc.fill_null(scores.cast(pa.float64()), np.nan).to_numpy(zero_copy_only=False))
    bad_R = ~np.isfinite(values_R) & ~failed_R
    if bad_R.any():
        row = int(np.argmax(bad_R))
        raise InputError(f"has {scores[row].as_py()} in {name!r} of its row {row + 1:,}, which has not failed")
    return values_R


def _is(statuses: pa.Array, status: str) -> Bools:
    return np.asarray(pc.fill_null(pc.equal(statuses, status), False).to_numpy(zero_copy_only=False))


def _with(table: pa.Table, name: str, array: pa.Array) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), table.schema.field(name), array)
