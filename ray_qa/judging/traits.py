"""What kind of row it is: its question word, its context, how long its answer is."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ray_qa.data.answer_columns import lengths

QUESTION_WORDS = ("what", "who", "when", "where", "which", "why", "how many", "how much", "how", "other")
"""By the first of them that a question has; whose and whom are who."""
_WORD = r"\b(?P<word>how many|how much|how|what|who|whom|whose|when|where|which|why)\b"


def question_words(questions: pa.Array) -> npt.NDArray[np.int8]:
    """Index into ``QUESTION_WORDS`` for each question; of none it is that of ``other``."""
    words = pc.struct_field(pc.extract_regex(pc.ascii_lower(questions), _WORD), "word")
    known = pc.replace_substring_regex(words, "^who(m|se)$", "who")
    codes = pc.index_in(known, value_set=pa.array(QUESTION_WORDS))
    return np.asarray(pc.fill_null(codes, QUESTION_WORDS.index("other")), np.int8)


def context_hashes(contexts: pa.Array) -> npt.NDArray[np.uint64]:
    """64 bits that stand for each context."""
    encoded = contexts.cast(pa.large_binary()).dictionary_encode()  # a text need not be UTF-8
    hashes = [_hash(each) for each in encoded.dictionary.to_pylist()]
    codes = np.asarray(pc.fill_null(encoded.indices, len(hashes)), np.int64)
    return np.take(np.array([*hashes, _hash(b"")], np.uint64), codes)


def text_lengths(texts: pa.Array) -> npt.NDArray[np.int32]:
    """Code points of each text."""
    return np.asarray(pc.fill_null(pc.utf8_length(texts), 0), np.int32)


def shortest_words(texts: pa.Array) -> npt.NDArray[np.int16]:
    """Words of the shortest text in each list; 0 where it has none."""
    words = pc.count_substring_regex(pc.list_flatten(texts), r"\S+")
    offsets = np.concatenate([[0], np.cumsum(lengths(texts))])
    shortest = np.zeros(len(texts), np.int16)
    is_any = offsets[1:] > offsets[:-1]
    if is_any.any():
        counts = np.minimum(words.to_numpy(), np.iinfo(np.int16).max)
        shortest[is_any] = np.minimum.reduceat(counts, offsets[:-1][is_any])
    return shortest


def _hash(text: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")
