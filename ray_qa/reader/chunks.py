"""Long texts in chunks whose tokens are those of the whole, so that a tokenizer holds no more than some at a time."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import regex

CHUNK_CHARACTERS = 32_768
"""A longer text is cut at the first place that is safe after so many."""
BATCH_CHARACTERS = 262_144
"""So many are tokenised at a time: a tokenizer holds some 160 bytes for each."""

_STEADY = r"[[\p{L}\p{N}]&&\p{NFKC_QC=Yes}--\p{GCB=Prepend}]"
"""Letters and digits that every normalisation leaves what they are, and that cling to nothing."""
BETWEEN_WORDS = regex.compile(f"(?<={_STEADY}) (?={_STEADY})", regex.V1)
"""Before the one space between two words, which all tokenizers of a known kind take for the end of a piece."""
AFTER_A_WORD = regex.compile(f"(?<={_STEADY})(?=[ \\n.!?。！？।۔؟])", regex.V1)
"""Before a line's or a sentence's end too: all that there is in a language that puts no spaces between words."""

_BY_THE_CHARACTER = ("BertNormalizer", "Lowercase", "NFC", "NFD", "NFKC", "NFKD", "Nmt", "Precompiled", "StripAccents")
_RUNS_OF_WHITE_SPACE = (" {2,}", r"\s{2,}", r"\s{2,}|[\n\r\t]")
_CUT_AT_SPACES = ("BertPreTokenizer", "ByteLevel", "Metaspace", "Whitespace", "WhitespaceSplit")
_LEAVE_SPACES = ("Digits", "Punctuation")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A stretch of text number ``text``, from its character ``start`` on."""

    text: int
    start: int
    characters: str


def batches_of_chunks(texts: Sequence[str], tokenizer: Any) -> Iterator[list[Chunk]]:
    """All texts in order, long ones in chunks, so many at a time as a tokenizer is to hold.

    A text that is nowhere known to be safe to cut stays whole, in a batch of its own.

    Args:
        texts: what is to be tokenised.
        tokenizer: the ``tokenizers.Tokenizer`` that does it.
    """
    cut = safe_cut(tokenizer) if any(len(text) > CHUNK_CHARACTERS for text in texts) else None
    batch: list[Chunk] = []
    characters = 0
    for chunk in _chunks(texts, cut):
        if batch and characters + len(chunk.characters) > BATCH_CHARACTERS:
            yield batch
            batch, characters = [], 0
        batch.append(chunk)
        characters += len(chunk.characters)
    if batch:
        yield batch


def safe_cut(tokenizer: Any) -> regex.Pattern[str] | None:
    """Where a text can be cut for a tokenizer so that nothing changes; ``None`` where that cannot be known.

    It can be if every part of the tokenizer is known to look at nothing beyond such a place. A chunk begins with the
    space before its first word, as pieces of the whole text do, so nothing is put before it. The model itself never
    looks beyond a piece.
    """
    normalizers = _parts(tokenizer.normalizer, "normalizers")
    pre_tokenizers = _parts(tokenizer.pre_tokenizer, "pretokenizers")
    if not all(map(_looks_at_few_characters, normalizers)) or not all(map(_ends_at_spaces, pre_tokenizers)):
        return None
    if not any(part["type"] in _CUT_AT_SPACES for part in pre_tokenizers):
        return None
    ends_words = len(pre_tokenizers) == 1 and _ends_words(pre_tokenizers[0])
    added = tokenizer.get_added_tokens_decoder().values()
    cuts = [AFTER_A_WORD, BETWEEN_WORDS] if ends_words else [BETWEEN_WORDS]
    return next((cut for cut in cuts if _never_within(cut, added)), None)


def _chunks(texts: Iterable[str], cut: regex.Pattern[str] | None) -> Iterator[Chunk]:
    for number, text in enumerate(texts):
        start = 0
        while cut and (found := cut.search(text, start + CHUNK_CHARACTERS)):
            yield Chunk(text=number, start=start, characters=text[start : found.start()])
            start = found.start()
        yield Chunk(text=number, start=start, characters=text[start:] if start else text)


def _parts(component: Any, of_sequence: str) -> list[dict[str, Any]]:
    """What a normalizer or a pre-tokenizer does, step by step, as it describes itself."""

    def steps(described: dict[str, Any]) -> Iterator[dict[str, Any]]:
        if described["type"] == "Sequence":
            for each in described[of_sequence]:
                yield from steps(each)
        else:
            yield described

    return [] if component is None else list(steps(json.loads(component.__getstate__())))


def _looks_at_few_characters(normalizer: dict[str, Any]) -> bool:
    """Whether it does to one side of a cut what it does without the other."""
    if normalizer["type"] == "Replace":
        pattern = normalizer["pattern"]
        return pattern.get("Regex") in _RUNS_OF_WHITE_SPACE or bool(regex.fullmatch(r"\S+", pattern.get("String", "")))
    if normalizer["type"] == "Strip":
        return not normalizer["strip_left"]
    return normalizer["type"] in _BY_THE_CHARACTER


def _ends_at_spaces(pre_tokenizer: dict[str, Any]) -> bool:
    """Whether the space between two words ends a piece, or is at least left for others to end it there."""
    if pre_tokenizer["type"] == "ByteLevel":
        return bool(pre_tokenizer["use_regex"])
    if pre_tokenizer["type"] == "Metaspace":
        return bool(pre_tokenizer["split"])
    return pre_tokenizer["type"] in (*_CUT_AT_SPACES, *_LEAVE_SPACES)


def _ends_words(pre_tokenizer: dict[str, Any]) -> bool:
    """Whether white space and punctuation end a word, and nothing is put before a text that begins with them."""
    if pre_tokenizer["type"] == "ByteLevel":
        return not pre_tokenizer["add_prefix_space"]
    return bool(pre_tokenizer["type"] == "BertPreTokenizer")


def _never_within(cut: regex.Pattern[str], added: Iterable[Any]) -> bool:
    """Whether no added token can lie across a cut; where all are special none does, as they are but text to us."""
    tokens = list(added)
    return all(token.special for token in tokens) or not any(
        token.rstrip or token.single_word or cut.search(f"{_as_normalised(token.content)}a") for token in tokens
    )


def _as_normalised(content: str) -> str:
    return regex.sub(r"\s", " ", unicodedata.normalize("NFKC", content))
