"""Long texts, tokenised in chunks, against the same texts tokenised whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers

from ray_qa.reader import chunks
from ray_qa.reader.chunks import AFTER_A_WORD, BETWEEN_WORDS, batches_of_chunks, safe_cut
from ray_qa.reader.encoded import EncodedRows
from ray_qa.reader.pair_tokenizer import PairTokenizer
from ray_qa.reader.tokenizer_loading import load_pair_tokenizer
from ray_qa.records import Row
from tests.model.conftest import PairTokenizers
from tests.tiny import TOKENIZER_FAMILIES, TokenizerFamily

WORDS = st.sampled_from(
    [
        "the",
        "dog",
        "it's",
        "isn't",
        "3.5",
        "x",
        "Jim",
        "Zürich",
        "café",
        "naïve",
        "東京は",
        "首都です。人口",
        "Москва",
        "한국",
        "하",
        "مرحبا",
        "👩\u200d👧",
        "🦊",
        "ﬁn",
        "ﹰ",
        "ൎ",
        "\u0600",
        "▁a",
        "</s>",
        "[SEP]",
        "\u200b",
    ]
)
GAPS = st.sampled_from([*" " * 6, *"\n\t\u00a0\u3000。", "", "  ", "\n\n", "\r\n", " \u0301", ". ", "! "])
TEXTS = st.lists(st.tuples(WORDS, GAPS), max_size=30).map(lambda pairs: "".join(word + gap for word, gap in pairs))
ANY_TEXTS = TEXTS | st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("ab  .\n東"), max_size=60)


def in_chunks(tokenizer: PairTokenizer, texts: list[str], size: int, batch: int = 50) -> EncodedRows:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "CHUNK_CHARACTERS", size)
        patch.setattr(chunks, "BATCH_CHARACTERS", batch)
        return encode(tokenizer, texts)


def encode(tokenizer: PairTokenizer, texts: list[str]) -> EncodedRows:
    return tokenizer.encode([Row(question=text, context=text) for text in texts], 20)


def assert_same(got: EncodedRows, expected: EncodedRows) -> None:
    for name, array in expected.arrays().items():
        assert getattr(got, name).tolist() == array.tolist(), name
        assert getattr(got, name).dtype == array.dtype, name


@pytest.mark.parametrize("family", TOKENIZER_FAMILIES)
@given(texts=st.lists(ANY_TEXTS, min_size=1, max_size=3), size=st.integers(1, 12))
@example(texts=["東京は日本の首都です。人口は約千四百万人です。"], size=3)
@example(texts=["a b " + " " * 9], size=1)
@settings(max_examples=60, deadline=None)
def test_a_text_in_chunks_has_the_tokens_and_ranges_of_the_whole(
    family: TokenizerFamily, texts: list[str], size: int, tokenizers: PairTokenizers
) -> None:
    assert_same(in_chunks(tokenizers[family], texts, size), encode(tokenizers[family], texts))


SPACES_TO_ONE = normalizers.Replace(Regex(" {2,}"), " ")
OTHERS: dict[str, tuple[Any, Any]] = {
    "RoBERTa's with a space before": (None, pre_tokenizers.ByteLevel(add_prefix_space=True)),
    "ModernBERT's": (normalizers.NFC(), pre_tokenizers.ByteLevel(add_prefix_space=False)),
    "ALBERT's": (
        normalizers.Sequence(
            [
                normalizers.Replace("``", '"'),
                normalizers.NFKD(),
                normalizers.StripAccents(),
                normalizers.Lowercase(),
                SPACES_TO_ONE,
            ]
        ),
        pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]),
    ),
    "DeBERTa's that splits at punctuation": (
        normalizers.Sequence([normalizers.NFKC(), SPACES_TO_ONE, normalizers.Strip(left=False, right=True)]),
        pre_tokenizers.Sequence([pre_tokenizers.Punctuation(), pre_tokenizers.Metaspace()]),
    ),
    "SentencePiece's with a prefix for the first word": (
        normalizers.Nmt(),
        pre_tokenizers.Metaspace(prepend_scheme="first"),
    ),
    "SentencePiece's without": (
        normalizers.Sequence([normalizers.NFKC(), SPACES_TO_ONE]),
        pre_tokenizers.Metaspace(prepend_scheme="never"),
    ),
}


@pytest.mark.parametrize("parts", OTHERS.values(), ids=OTHERS)
@given(text=ANY_TEXTS, size=st.integers(1, 12))
@example(text="a  b", size=2)
@example(text="a ﹰ b", size=1)  # its normal form begins with a space
@settings(max_examples=60, deadline=None)
def test_other_tokenizers_of_known_parts_give_the_same_too(
    parts: tuple[Any, Any], text: str, size: int, tokenizers: PairTokenizers
) -> None:
    own = with_parts(tokenizers["byte_level_bpe" if "ByteLevel" in str(parts[1]) else "sentence_piece"], *parts)
    assert safe_cut(own.fast_tokenizer) is not None
    assert_same(in_chunks(own, [text], size), encode(own, [text]))


def with_parts(tokenizer: PairTokenizer, normalizer: Any, pre_tokenizer: Any) -> PairTokenizer:
    fast = Tokenizer.from_str(tokenizer.fast_tokenizer.to_str())
    fast.normalizer, fast.pre_tokenizer, fast.encode_special_tokens = normalizer, pre_tokenizer, True
    return PairTokenizer(
        fast_tokenizer=fast,
        template=tokenizer.template,
        special_ids=tokenizer.special_ids,
        unknown_id=tokenizer.unknown_id,
    )


def test_ordinary_text_is_cut_near_where_it_is_to_be(tokenizer: PairTokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "CHUNK_CHARACTERS", 100)
    monkeypatch.setattr(chunks, "BATCH_CHARACTERS", 300)
    texts = ["The old bridge at Ulm was carried away. " * 50, "Short.", "It was rebuilt. " * 20]
    batches = list(batches_of_chunks(texts, tokenizer.fast_tokenizer))
    assert all(sum(len(chunk.characters) for chunk in batch) <= 300 for batch in batches)
    cut = [chunk for batch in batches for chunk in batch]
    for number, text in enumerate(texts):
        own = [chunk for chunk in cut if chunk.text == number]
        assert "".join(chunk.characters for chunk in own) == text
        assert all(text.startswith(chunk.characters, chunk.start) for chunk in own)
        assert all(100 <= len(chunk.characters) < 120 for chunk in own[:-1])
    assert len(cut) == 20 + 1 + 4


CHINESE = "东京是日本的首都，人口约一千四百万。" * 40


@pytest.mark.parametrize(
    ("family", "whole"),
    [("byte_level_bpe", False), ("word_piece", False), ("mpnet", False), ("sentence_piece", True), ("deberta", True)],
)
def test_a_language_without_spaces_is_cut_after_sentences_or_kept_whole(
    family: TokenizerFamily, whole: bool, tokenizers: PairTokenizers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "CHUNK_CHARACTERS", 50)
    monkeypatch.setattr(chunks, "BATCH_CHARACTERS", 100)
    batches = list(batches_of_chunks([CHINESE, "b"], tokenizers[family].fast_tokenizer))
    if whole:
        assert [[len(chunk.characters) for chunk in batch] for batch in batches] == [[len(CHINESE)], [1]]
    else:
        assert all(len(chunk.characters) <= 50 + 18 for batch in batches for chunk in batch)


UNKNOWN: dict[str, tuple[Any, Any]] = {
    "no pieces": (None, None),
    "pieces that hold spaces": (None, pre_tokenizers.Metaspace(split=False)),
    "pieces of a pattern": (None, pre_tokenizers.Split(Regex("a b|."), "isolated")),
    "pieces of punctuation only": (None, pre_tokenizers.Punctuation()),
    "a prefix to each text": (normalizers.Prepend("▁"), pre_tokenizers.Metaspace()),
    "white space that is stripped before": (normalizers.Strip(), pre_tokenizers.Metaspace()),
    "a pattern across a space": (normalizers.Replace(Regex("a b"), "c"), pre_tokenizers.Metaspace()),
    "a string across a space": (normalizers.Replace("a b", "c"), pre_tokenizers.Metaspace()),
    "one such step of many": (
        normalizers.Sequence([normalizers.NFC(), normalizers.Strip()]),
        pre_tokenizers.Metaspace(),
    ),
}


@pytest.mark.parametrize(("normalizer", "pre_tokenizer"), UNKNOWN.values(), ids=UNKNOWN)
def test_what_is_not_known_to_be_safe_is_not_cut(normalizer: Any, pre_tokenizer: Any) -> None:
    fast = Tokenizer(models.BPE())
    fast.pre_tokenizer = pre_tokenizers.Metaspace()
    assert safe_cut(fast) is BETWEEN_WORDS
    if normalizer is not None:
        fast.normalizer = normalizer
    fast.pre_tokenizer = pre_tokenizer
    assert safe_cut(fast) is None


@pytest.mark.parametrize(
    ("token", "cut"),
    [
        (AddedToken("  "), AFTER_A_WORD),
        (AddedToken("<name>"), AFTER_A_WORD),
        (AddedToken("U.S."), BETWEEN_WORDS),
        (AddedToken("New York"), None),
        (AddedToken("New\u00a0York"), None),
        (AddedToken("name "), None),
        (AddedToken("name", rstrip=True), None),
        (AddedToken("name", single_word=True), None),
    ],
    ids=str,
)
def test_tokens_that_were_added_are_never_cut(token: AddedToken, cut: Any, tokenizers: PairTokenizers) -> None:
    fast = Tokenizer.from_str(tokenizers["byte_level_bpe"].fast_tokenizer.to_str())
    assert safe_cut(fast) is AFTER_A_WORD
    fast.add_tokens([token])
    assert safe_cut(fast) is cut
    text = f"I saw {token.content} in a b {token.content} c"
    own = with_parts(tokenizers["byte_level_bpe"], None, fast.pre_tokenizer)
    own.fast_tokenizer.add_tokens([token])
    for size in range(1, 9):
        assert_same(in_chunks(own, [text], size), encode(own, [text]))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["squad_v1_dev_a_long", "xquad_de", "xquad_zh", "squadshifts_reddit"])
@pytest.mark.parametrize("folder", ["models/minilm-squad", "tokenizers/roberta-base"])
def test_real_text_has_the_same_tokens_in_chunks(name: str, folder: str, shared: Path) -> None:
    tokenizer = load_pair_tokenizer(shared / folder)
    contexts = pq.read_table(shared / "data" / f"{name}.parquet", columns=["context"])["context"].unique().to_pylist()
    text = "\n".join(contexts)[:400_000]
    assert_same(in_chunks(tokenizer, [text], 500, batch=20_000), in_chunks(tokenizer, [text], len(text)))
