"""Texts to token ids and character ranges, the same way for every family of fast tokenizers."""

from __future__ import annotations

import contextlib
import gc
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ray_qa.data.schemas import is_unicode
from ray_qa.reader.arrays import Ints
from ray_qa.reader.collate import Template
from ray_qa.reader.encoded import NO_REASON, REASONS, EncodedRows
from ray_qa.reader.text_ranges import readable_ranges
from ray_qa.records import Reason, Row

MAX_CONTEXT_CHARACTERS = 4_000_000
"""A longer context is a row failed ``context_too_long``: it would take a worker's memory, not just its time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairTokenizer:
    """A fast tokenizer stripped to what is needed: text in, ids and offsets out, and the template to join them."""

    fast_tokenizer: Any
    """The ``tokenizers.Tokenizer``, without truncation and padding of its own."""
    template: Template
    special_ids: frozenset[int]
    """Ids that have a meaning of their own, such as CLS and SEP; those of a text become ``unknown_id``."""
    unknown_id: int

    def encode(self, rows: Sequence[Row], max_question_tokens: int) -> EncodedRows:
        """Encode rows; texts that repeat are tokenised once. Never raises for what a text holds."""
        reasons = [_reason_to_skip(row) for row in rows]
        questions = _Texts()
        contexts = _Texts()
        question_R = [
            questions.add("" if reason else (row.question or "").lstrip())
            for row, reason in zip(rows, reasons, strict=True)
        ]
        context_R = [
            contexts.add("" if reason else row.context or "") for row, reason in zip(rows, reasons, strict=True)
        ]

        with _collector_held_back():
            # Nothing asks where in a question its tokens lie, and the tokenizer is faster if it may forget.
            question_encodings = self.fast_tokenizer.encode_batch_fast(questions.all, add_special_tokens=False)
            context_encodings = self.fast_tokenizer.encode_batch(contexts.all, add_special_tokens=False)
            question_ids = self._ids(question_encodings, max_question_tokens)
            context_ids = self._ids(context_encodings)
            ranges_T2 = readable_ranges(
                contexts.all, [*map(len, context_encodings)], (encoding.offsets for encoding in context_encodings)
            )
        cut = np.array([len(encoding) > max_question_tokens for encoding in question_encodings])
        has_tokens = (np.diff(question_ids.offsets) > 0).tolist()
        readable_T = np.concatenate([[0], np.cumsum(ranges_T2[:, 1] > ranges_T2[:, 0])])
        has_text = (np.diff(readable_T[context_ids.offsets]) > 0).tolist()
        codes = [
            _code(reason or _reason_without_tokens(has_tokens[question], has_text[context]))
            for reason, question, context in zip(reasons, question_R, context_R, strict=True)
        ]
        return EncodedRows(
            question_R=np.array(question_R, dtype=np.int64),
            question_offsets=question_ids.offsets,
            question_ids=question_ids.flat,
            question_cut_R=cut[np.array(question_R, dtype=np.int64)].astype(np.int8) if rows else np.zeros(0, np.int8),
            context_R=np.array(context_R, dtype=np.int64),
            context_offsets=context_ids.offsets,
            context_ids=context_ids.flat,
            context_start=ranges_T2[:, 0].astype(np.int32),
            context_end=ranges_T2[:, 1].astype(np.int32),
            reason_R=np.array(codes, dtype=np.int8),
        )

    def question_ranges(self, question: str, max_question_tokens: int) -> Ints:
        """The range of each of a question's tokens in it, in code points, trimmed as those of contexts are; (Q, 2)."""
        bare = question.lstrip()
        offsets = self.fast_tokenizer.encode(bare, add_special_tokens=False).offsets[:max_question_tokens]
        return readable_ranges([bare], [len(offsets)], [offsets]) + (len(question) - len(bare))

    def _ids(self, encodings: Sequence[Any], most: int | None = None) -> _Ids:
        """At most ``most`` ids of each text.

        A Unigram vocabulary has "</s>" as a piece like any other, so a text that says so would give the special.
        """
        lists = [encoding.ids[:most] for encoding in encodings]
        offsets = np.cumsum([0, *map(len, lists)], dtype=np.int64)
        flat = np.fromiter(itertools.chain.from_iterable(lists), np.int32, int(offsets[-1]))
        flat[np.isin(flat, list(self.special_ids))] = self.unknown_id
        return _Ids(flat=flat, offsets=offsets)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ids:
    """Token ids of all texts; those of text k lie at ``offsets[k]:offsets[k + 1]``."""

    flat: npt.NDArray[np.int32]
    offsets: Ints


class _Texts:
    """Distinct texts in order of first appearance."""

    def __init__(self) -> None:
        self._index: dict[str, int] = {}

    def add(self, text: str) -> int:
        return self._index.setdefault(text, len(self._index))

    @property
    def all(self) -> list[str]:
        return list(self._index)


def _reason_to_skip(row: Row) -> Reason | None:
    if row.question is None:
        return "question_missing"
    if not isinstance(row.question, str):
        return "question_not_text"
    if not is_unicode(row.question):
        return "question_not_unicode"
    if not row.question.strip():
        return "question_empty"
    if row.context is None:
        return "context_missing"
    if not isinstance(row.context, str):
        return "context_not_text"
    if not is_unicode(row.context):
        return "context_not_unicode"
    if not row.context.strip():
        return "context_empty"
    return "context_too_long" if len(row.context) > MAX_CONTEXT_CHARACTERS else None


def _reason_without_tokens(has_tokens: bool, has_text: bool) -> Reason | None:
    if not has_tokens:
        return "question_no_text"
    return None if has_text else "context_no_text"


def _code(reason: Reason | None) -> int:
    return NO_REASON if reason is None else REASONS.index(reason)


@contextlib.contextmanager
def _collector_held_back() -> Iterator[None]:
    """Keep Python's garbage collector from walking, over and over, the many small tuples that offsets are."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
