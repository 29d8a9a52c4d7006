"""From rows with gold answers to encoded rows with token labels, counting whatever is not used as it stands."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from ray_qa.data.offset_units import counts_as
from ray_qa.finetuning.dataset import TrainingRows
from ray_qa.finetuning.label_counts import LabelCounts
from ray_qa.reader.alignment import LocatedAnswer, TokenRun, align_to_tokens, locate_answer
from ray_qa.reader.arrays import Ints
from ray_qa.reader.pair_tokenizer import PairTokenizer
from ray_qa.records import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledRows:
    """Training rows, and what was counted on the way."""

    rows: TrainingRows
    counts: LabelCounts


def label_examples(
    examples: pa.Table, first_row: int, tokenizer: PairTokenizer, max_question_tokens: int
) -> LabelledRows:
    """Encode rows and turn their gold answers into runs of tokens.

    A row is dropped if it cannot be encoded, or if it has gold answers and none can be used: it is not unanswerable.

    Args:
        examples: rows of ``ray_qa.data.example_schema.SCHEMA``.
        first_row: the number of their first in the training data.
        tokenizer: the model's.
        max_question_tokens: longer questions are cut.
    """
    rows = examples.to_pylist()
    encoded = tokenizer.encode(
        [Row(question=row["question"], context=row["context"]) for row in rows], max_question_tokens
    )
    tally = _Tally()
    used: list[int] = []
    runs_of_used: list[list[TokenRun]] = []
    for number, row in enumerate(rows):
        tally.rows += 1
        reason = row["malformed"] or encoded.reason(number)
        if reason is not None or row["answers"] is None:
            tally.dropped_rows[reason or "answers_missing"] += 1
            continue
        tokens = slice(*encoded.context_offsets[encoded.context_R[number] + np.array([0, 1])])
        runs = tally.token_runs(
            row["context"], row["answers"], encoded.context_start[tokens], encoded.context_end[tokens]
        )
        if row["answers"]["text"] and not runs:
            tally.dropped_rows["no_usable_answer"] += 1
            continue
        used.append(number)
        runs_of_used.append(runs)
    row_K = np.array(used, dtype=np.int64)
    runs_flat = [run for runs in runs_of_used for run in runs]
    return LabelledRows(
        rows=TrainingRows(
            encoded=encoded.take(row_K),
            row_R=row_K + first_row,
            gold_offsets=np.concatenate([[0], np.cumsum([len(runs) for runs in runs_of_used])]).astype(np.int64),
            gold_first=np.array([run.first for run in runs_flat], dtype=np.int64),
            gold_last=np.array([run.last for run in runs_flat], dtype=np.int64),
        ),
        counts=tally.counts(
            answerable=sum(bool(runs) for runs in runs_of_used),
            unanswerable=sum(not runs for runs in runs_of_used),
            questions_cut=int(encoded.question_cut_R[row_K].sum()),
        ),
    )


@dataclass(slots=True, kw_only=True)
class _Tally:
    rows: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    dropped_rows: Counter[str] = field(default_factory=Counter)
    dropped_answers: Counter[str] = field(default_factory=Counter)

    def token_runs(
        self, context: str, answers: dict[str, list[Any]], char_start_T: Ints, char_end_T: Ints
    ) -> list[TokenRun]:
        """The runs of a row's usable gold answers; each is counted."""
        runs = []
        for text, start in zip(answers["text"], answers["answer_start"], strict=True):
            located = locate_answer(context, text, start)
            if located.repaired if isinstance(located, LocatedAnswer) else located != "answer_empty":
                self.answers.update(misplaced=start is not None)
                self.answers.update(counts_as(context, text, start))
            run = align_to_tokens(char_start_T, char_end_T, located) if isinstance(located, LocatedAnswer) else None
            if run is None or not isinstance(located, LocatedAnswer):
                self.dropped_answers[located if isinstance(located, str) else "answer_without_tokens"] += 1
                continue
            runs.append(run)
            self.answers.update(used=1, repaired=located.repaired, trimmed=located.trimmed, unaligned=not run.aligned)
        return runs

    def counts(self, *, answerable: int, unanswerable: int, questions_cut: int) -> LabelCounts:
        return LabelCounts(
            rows=self.rows,
            answerable=answerable,
            unanswerable=unanswerable,
            questions_cut=questions_cut,
            dropped_rows=dict(self.dropped_rows),
            answers=self.answers["used"],
            repaired=self.answers["repaired"],
            trimmed=self.answers["trimmed"],
            unaligned=self.answers["unaligned"],
            misplaced=self.answers["misplaced"],
            utf16_units=self.answers["utf16_units"],
            utf8_bytes=self.answers["utf8_bytes"],
            dropped_answers=dict(self.dropped_answers),
        )
