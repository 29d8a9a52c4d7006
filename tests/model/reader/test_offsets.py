from __future__ import annotations

import unicodedata
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest
import regex
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import normalizers

from ray_qa.reader.pair_tokenizer import PairTokenizer
from ray_qa.reader.reader import Reader
from ray_qa.records import Row
from ray_qa.settings import ReadingSettings
from tests.model.conftest import PairTokenizers
from tests.tiny import TokenizerFamily, tiny_model

HARD_TEXTS = {
    "emoji_zwj": "The 👩\u200d👩\u200d👧 family and 👩\u200d🚀👨🏽\u200d🌾 walk",
    "skin_tones": "👍🏽 good 👍👍🏿and 🤷🏻\u200d♀\ufe0f",
    "cjk": "東京は日本の首都です。 人口は約千四百万人です、漢字𠮷野家",
    "hangul_and_thai": "서울은 수도이다. กรุงเทพ เป็นเมืองหลวง",
    "combining_marks": "cafe\u0301 nai\u0308ve Zu\u0308rich a\u0308\u0301 e\u0301",
    "hangul_decomposed": unicodedata.normalize("NFD", "서울 한국"),
    "crlf": "first line\r\nsecond line\r\n\r\nthird\rfourth\n",
    "tabs": "\tone\ttwo\t\tthree\t",
    "nul": "a\x00b \x00 c\x00\x00 dog\x07 \x1b[0m",
    "leading_spaces": "   leading spaces",
    "double_spaces": "two  spaces   three    four",
    "no_break_spaces": "no\u00a0break\u00a0\u00a0space\u202fnarrow\u3000wide\u2003em",
    "zero_width": "zero\u200bwidth \u200b\u200c joined\u2060text \ufeffbom",
    "only_zero_width": "\u200b\u200b",
    "specials": "a [SEP] b </s>c<s> [CLS] <mask>x<pad> [MASK][PAD]",
    "metaspace": "a\u2581b \u2581 c",
    "ligatures": "\ufb01n \u2460 \u00bd \u212b ß \u0130stanbul ǆ",
    "right_to_left": "مرحبا بالعالم שלום\u200f! \u202eabc\u202c",
    "punctuation": "“It isn't far”, – she said: 3.5 metres (about 11 feet)... no-one!",
    "trailing": "the end \n ",
    "private_and_unassigned": "\ue000 \U000e0001 \U0010ffff \ufffd",
}


class Token(NamedTuple):
    piece: str
    start: int
    end: int


def tokens_of(tokenizer: PairTokenizer, text: str) -> list[Token]:
    """The context's tokens with their own ranges, which may cut graphemes."""
    encoding = tokenizer.fast_tokenizer.encode(text, add_special_tokens=False)
    return [
        Token(piece, *_stripped(text, *place)) for piece, place in zip(encoding.tokens, encoding.offsets, strict=True)
    ]


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    inner = start + len(text[start:end]) - len(text[start:end].lstrip())
    return inner, inner + len(text[start:end].strip())


def ranges_of(tokenizer: PairTokenizer, text: str) -> list[tuple[int, int]]:
    """The ranges that answers are cut by."""
    encoded = tokenizer.encode([Row(question="q", context=text)], 64)
    return list(zip(encoded.context_start.tolist(), encoded.context_end.tolist(), strict=True))


def expected_byte_level_ranges(pieces: list[str], text: str) -> list[tuple[int, int]]:
    """The characters whose bytes a byte-level piece holds: pieces, put together, are the text's UTF-8."""
    character_of_byte = [at for at, character in enumerate(text) for _ in character.encode()]
    ranges = []
    first_byte = 0
    for piece in pieces:
        characters = character_of_byte[first_byte : first_byte + len(piece)]
        ranges.append((characters[0], characters[-1] + 1))
        first_byte += len(piece)
    assert first_byte == len(character_of_byte)
    return ranges


def trimmed(text: str, start: int, end: int) -> str:
    return text[start:end].strip()


@pytest.mark.parametrize("name", HARD_TEXTS)
def test_a_byte_level_token_has_the_characters_whose_bytes_it_holds(name: str, tokenizers: PairTokenizers) -> None:
    text = HARD_TEXTS[name]
    tokens = tokens_of(tokenizers["byte_level_bpe"], text)
    expected = expected_byte_level_ranges([token.piece for token in tokens], text)
    assert [text[token.start : token.end] for token in tokens] == [trimmed(text, *of_piece) for of_piece in expected]


@pytest.mark.parametrize("family", ["word_piece", "mpnet"])
@pytest.mark.parametrize("name", HARD_TEXTS)
def test_a_word_piece_has_the_characters_that_normalise_to_it(
    name: str, family: TokenizerFamily, tokenizers: PairTokenizers
) -> None:
    normalise = normalizers.BertNormalizer().normalize_str
    text = HARD_TEXTS[name]
    for token in tokens_of(tokenizers[family], text):
        assert token.end > token.start
        if token.piece != "[UNK]":
            assert normalise(text[token.start : token.end]).strip() == token.piece.removeprefix("##"), token


@pytest.mark.parametrize("name", HARD_TEXTS)
def test_a_sentence_piece_has_its_own_characters(name: str, tokenizers: PairTokenizers) -> None:
    text = HARD_TEXTS[name]
    for token in tokens_of(tokenizers["sentence_piece"], text):
        if token.piece == "\u2581":
            # The mark before a word that is no piece with it: it stands where the word starts, as transformers has it.
            assert token.end - token.start == 1
        else:
            written = text[token.start : token.end]
            assert written in (token.piece, token.piece.removeprefix("\u2581")), token


@pytest.mark.parametrize("name", HARD_TEXTS)
def test_a_piece_of_normalised_text_has_the_characters_it_came_from(name: str, tokenizers: PairTokenizers) -> None:
    text = HARD_TEXTS[name]
    for token in tokens_of(tokenizers["deberta"], text):
        written = text[token.start : token.end]
        plain = token.piece.replace("\u2581", " ").strip()
        if not plain:
            assert len(written) <= 1
        else:
            # A composed letter is given the first of the characters that it was composed of.
            decomposed = unicodedata.normalize("NFD", plain)
            assert written
            assert written in (plain, token.piece) or decomposed.startswith(unicodedata.normalize("NFD", written)), (
                token
            )


@pytest.mark.parametrize("name", HARD_TEXTS)
def test_every_visible_character_of_the_text_is_some_tokens(name: str, tokenizer: PairTokenizer) -> None:
    text = HARD_TEXTS[name]
    covered = {at for token in tokens_of(tokenizer, text) for at in range(token.start, token.end)}
    visible = {at for at, character in enumerate(text) if unicodedata.category(character)[0] in "LNPS"}
    # Characters a normaliser composes with the one before or drops are marks, controls and the replacement character.
    composed = {at for at in visible if "\u1160" <= text[at] <= "\u11ff" or text[at] == "\ufffd"}
    assert visible - composed <= covered


@pytest.mark.parametrize("name", HARD_TEXTS)
def test_ranges_lie_in_the_text_ascend_and_end_in_no_white_space_and_no_grapheme(
    name: str, tokenizer: PairTokenizer
) -> None:
    check_ranges(tokenizer, HARD_TEXTS[name])


ANY_TEXT = st.text(
    st.one_of(
        st.characters(exclude_categories=["Cs"]),
        st.sampled_from("ab e\u0301\u200d👩🏽\u00a0\r\n\t\x00\u200b\u2581東<>/[]s"),
    ),
    max_size=60,
).filter(str.strip)


@given(text=ANY_TEXT)
@settings(deadline=None, max_examples=150)
def test_ranges_of_any_text_lie_in_it_ascend_and_end_in_no_white_space_and_no_grapheme(
    tokenizers: PairTokenizers, text: str
) -> None:
    for tokenizer in tokenizers.values():
        check_ranges(tokenizer, text)


@given(text=ANY_TEXT)
@settings(deadline=None, max_examples=150)
def test_byte_level_ranges_of_any_text_are_those_of_its_bytes(tokenizers: PairTokenizers, text: str) -> None:
    tokens = tokens_of(tokenizers["byte_level_bpe"], text)
    expected = expected_byte_level_ranges([token.piece for token in tokens], text)
    assert [text[token.start : token.end] for token in tokens] == [trimmed(text, *of_piece) for of_piece in expected]


def check_ranges(tokenizer: PairTokenizer, text: str) -> None:
    ranges = ranges_of(tokenizer, text)
    inside = set(range(1, len(text))) - {match.end() for match in regex.finditer(r"\X", text)}
    for (start, end), token in zip(ranges, tokens_of(tokenizer, text), strict=True):
        written = text[start:end]
        assert 0 <= start <= token.start <= token.end <= end <= len(text)
        assert written == written.strip()
        if written:
            assert start not in inside or text[start - 1].isspace()
            assert end not in inside or text[end].isspace()
    assert all(before[0] <= after[0] for before, after in pairwise(ranges))


@pytest.mark.parametrize("model_type", ["bert", "deberta-v2", "roberta", "xlm-roberta"])
def test_an_answer_never_ends_inside_a_grapheme_of_its_context(model_type: str, tmp_path: Path) -> None:
    reader = Reader.load(
        str(tiny_model(tmp_path, model_type)),
        settings=ReadingSettings(always_answer=True, n_best=50, max_answer_tokens=3),
        device="cpu",
    )
    context = unicodedata.normalize("NFD", "Zürich, café à 3")
    borders = {0, *(match.end() for match in regex.finditer(r"\X", context))}
    for span in reader.answer("où?", context).n_best:
        assert {span.start, span.end} <= borders, span
    spans = {span.text for span in reader.answer("où?", "e\u0301").n_best}
    assert spans == {"e\u0301"}
