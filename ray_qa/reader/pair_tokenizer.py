"""Texts to token ids and character ranges, the same way for every family of fast tokenizers."""

from __future__ import annotations

import contextlib
import gc
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ray_qa.data.schemas import is_unicode
from ray_qa.reader.arrays import Ints
from ray_qa.reader.chunks import Chunk, batches_of_chunks
from ray_qa.reader.collate import Template
from ray_qa.reader.encoded import NO_REASON, REASONS, EncodedRows
from ray_qa.reader.text_ranges import readable_ranges
from ray_qa.records import Reason, Row
from ray_qa.settings import MAX_CONTEXT_CHARS


@dataclass(frozen=True, slots=True, kw_only=True)
class PairTokenizer:
    """A fast tokenizer stripped to what is needed: text in, ids and offsets out, and the template to join them."""

    fast_tokenizer: Any
    """The ``tokenizers.Tokenizer``, without truncation and padding of its own."""
    template: Template
    special_ids: frozenset[int]
    """Ids that have a meaning of their own, such as CLS and SEP; those of a text become ``unknown_id``."""
    unknown_id: int

    def encode(
        self, rows: Sequence[Row], max_question_tokens: int, max_context_chars: int = MAX_CONTEXT_CHARS
    ) -> EncodedRows:
        """Encode rows; texts that repeat are tokenised once. Never raises for what a text holds.

        Args:
            rows: what is to be read.
            max_question_tokens: longer questions are cut.
            max_context_chars: rows with a longer context get the reason ``context_too_long``.
        """
        reasons = [_reason_to_skip(row, max_context_chars) for row in rows]
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
            asked = self._first_ids(questions.all, max_question_tokens + 1)
            read = self._tokens(contexts.all)
        has_tokens = [len(ids) > 0 for ids in asked]
        readable_T = np.concatenate([[0], np.cumsum(read.end_T > read.start_T)])
        has_text = (np.diff(readable_T[read.offsets]) > 0).tolist()
        codes = [
            _code(reason or _reason_without_tokens(has_tokens[question], has_text[context]))
            for reason, question, context in zip(reasons, question_R, context_R, strict=True)
        ]
        question_ids = [ids[:max_question_tokens] for ids in asked]
        return EncodedRows(
            question_R=np.array(question_R, dtype=np.int64),
            question_offsets=_offsets(map(len, question_ids)),
            question_ids=self._flat(question_ids),
            question_cut_R=np.array([len(asked[question]) > max_question_tokens for question in question_R], np.int8),
            context_R=np.array(context_R, dtype=np.int64),
            context_offsets=read.offsets,
            context_ids=read.id_T,
            context_start=read.start_T,
            context_end=read.end_T,
            reason_R=np.array(codes, dtype=np.int8),
        )

    def question_ranges(self, question: str, max_question_tokens: int) -> Ints:
        """The range of each of a question's tokens in it, in code points, trimmed as those of contexts are; (Q, 2)."""
        bare = question.lstrip()
        offsets = self.fast_tokenizer.encode(bare, add_special_tokens=False).offsets[:max_question_tokens]
        return readable_ranges([bare], [len(offsets)], [offsets]) + (len(question) - len(bare))

    def _first_ids(self, texts: Sequence[str], most: int) -> list[list[int]]:
        """At most ``most`` ids of each text."""
        ids: list[list[int]] = [[] for _ in texts]
        for chunks in batches_of_chunks(texts, self.fast_tokenizer):
            characters = [chunk.characters for chunk in chunks]
            # Nothing asks where in a question its tokens lie, and the tokenizer is faster if it may forget.
            encodings = self.fast_tokenizer.encode_batch_fast(characters, add_special_tokens=False)
            for chunk, encoding in zip(chunks, encodings, strict=True):
                ids[chunk.text] += encoding.ids[: most - len(ids[chunk.text])]
        return ids

    def _tokens(self, texts: Sequence[str]) -> _Tokens:
        """All tokens of each text."""
        batches = [self._tokens_of_chunks(chunks) for chunks in batches_of_chunks(texts, self.fast_tokenizer)]
        lengths = np.zeros(len(texts), np.int64)
        for batch in batches:
            np.add.at(lengths, batch.text_C, batch.tokens_C)
        none = np.zeros(0, np.int32)
        return _Tokens(
            offsets=_offsets(lengths.tolist()),
            id_T=np.concatenate([none, *(batch.id_T for batch in batches)]),
            start_T=np.concatenate([none, *(batch.start_T for batch in batches)]),
            end_T=np.concatenate([none, *(batch.end_T for batch in batches)]),
        )

    def _tokens_of_chunks(self, chunks: Sequence[Chunk]) -> _TokensOfChunks:
        characters = [chunk.characters for chunk in chunks]
        encodings = self.fast_tokenizer.encode_batch(characters, add_special_tokens=False)
        tokens = [*map(len, encodings)]
        ranges_T2 = readable_ranges(characters, tokens, (encoding.offsets for encoding in encodings))
        ranges_T2 += np.repeat([chunk.start for chunk in chunks], tokens)[:, None]
        return _TokensOfChunks(
            text_C=np.array([chunk.text for chunk in chunks]),
            tokens_C=np.array(tokens),
            id_T=self._flat([encoding.ids for encoding in encodings]),
            start_T=ranges_T2[:, 0].astype(np.int32),
            end_T=ranges_T2[:, 1].astype(np.int32),
        )

    def _flat(self, lists: Sequence[Sequence[int]]) -> npt.NDArray[np.int32]:
        """The ids of all lists. A Unigram vocabulary has "</s>" as a piece like any other, so a text that says so would
        give the special."""
        flat = np.fromiter(itertools.chain.from_iterable(lists), np.int32, sum(map(len, lists)))
        flat[np.isin(flat, list(self.special_ids))] = self.unknown_id
        return flat


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tokens:
    """The tokens of all texts, with their readable ranges; those of text k lie at ``offsets[k]:offsets[k + 1]``."""

    offsets: Ints
    id_T: npt.NDArray[np.int32]
    start_T: npt.NDArray[np.int32]
    end_T: npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True)
class _TokensOfChunks:
    """The tokens of C chunks, one chunk after the other, with ranges in the whole texts."""

    text_C: Ints
    tokens_C: Ints
    id_T: npt.NDArray[np.int32]
    start_T: npt.NDArray[np.int32]
    end_T: npt.NDArray[np.int32]


class _Texts:
    """Distinct texts in order of first appearance."""

    def __init__(self) -> None:
        self._index: dict[str, int] = {}

    def add(self, text: str) -> int:
        return self._index.setdefault(text, len(self._index))

    @property
    def all(self) -> list[str]:
        return list(self._index)


def _reason_to_skip(row: Row, max_context_chars: int) -> Reason | None:
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
    return "context_too_long" if len(row.context) > max_context_chars else None


def _reason_without_tokens(has_tokens: bool, has_text: bool) -> Reason | None:
    if not has_tokens:
        return "question_no_text"
    return None if has_text else "context_no_text"


def _offsets(lengths: Iterable[int]) -> Ints:
    return np.cumsum([0, *lengths], dtype=np.int64)


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
