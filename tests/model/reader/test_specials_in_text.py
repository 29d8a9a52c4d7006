from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ray_qa.reader.collate import collate
from ray_qa.reader.pair_tokenizer import PairTokenizer
from ray_qa.records import Row
from ray_qa.settings import ReadingSettings
from tests.model.conftest import PairTokenizers

SPECIALS = ("[SEP]", "[CLS]", "[PAD]", "[MASK]", "<s>", "</s>", "<pad>", "<mask>")
SETTINGS = ReadingSettings(max_tokens=100, stride=8, max_question_tokens=40)


def special_positions(tokenizer: PairTokenizer, question: str, context: str) -> list[list[int]]:
    """Where the ids of special tokens (the unknown token aside) lie in each of a pair's windows."""
    encoded = tokenizer.encode([Row(question=question, context=context)], SETTINGS.max_question_tokens)
    windows = encoded.windows(SETTINGS, tokenizer.template.special_tokens)
    batch = collate(encoded, windows, np.arange(len(windows)), tokenizer.template)
    specials = sorted(tokenizer.special_ids)
    return [
        np.flatnonzero(np.isin(ids, specials) & (attended > 0)).tolist()
        for ids, attended in zip(batch.input_ids_WT, batch.attention_mask_WT, strict=True)
    ]


def template_positions(tokenizer: PairTokenizer, question: str, context: str) -> list[list[int]]:
    """Where the template puts them."""
    encoded = tokenizer.encode([Row(question=question, context=context)], SETTINGS.max_question_tokens)
    template = tokenizer.template
    between_at = len(template.before) + len(encoded.question_ids)
    return [
        [
            *range(len(template.before)),
            *range(between_at, between_at + len(template.between)),
            *range(tokens - len(template.after), tokens),
        ]
        for tokens in encoded.windows(SETTINGS, template.special_tokens).tokens.tolist()
    ]


@pytest.mark.parametrize("special", SPECIALS)
def test_the_name_of_a_special_token_in_a_context_is_text(special: str, tokenizer: PairTokenizer) -> None:
    pair = ("What is it?", f"It is {special} and {special}{special}, but x{special}y is not.")
    assert special_positions(tokenizer, *pair) == template_positions(tokenizer, *pair)


@pytest.mark.parametrize("special", SPECIALS)
def test_the_name_of_a_special_token_in_a_question_is_text(special: str, tokenizer: PairTokenizer) -> None:
    pair = (f"{special} What is {special}?", "It is a puppet.")
    assert special_positions(tokenizer, *pair) == template_positions(tokenizer, *pair)


@given(
    question=st.lists(st.sampled_from([*SPECIALS, "a", " ", "<", "[", "</"]), min_size=1, max_size=8).map("".join),
    context=st.lists(st.sampled_from([*SPECIALS, "a", " ", "<", "[", "</"]), min_size=1, max_size=60).map("".join),
)
@settings(deadline=None, max_examples=60)
def test_no_text_makes_a_special_token(tokenizers: PairTokenizers, question: str, context: str) -> None:
    for tokenizer in tokenizers.values():
        pair = (f"q{question}", f"c{context}")
        assert special_positions(tokenizer, *pair) == template_positions(tokenizer, *pair)


def test_a_special_token_in_a_sentence_piece_text_keeps_its_range_and_is_unknown(tokenizers: PairTokenizers) -> None:
    tokenizer = tokenizers["sentence_piece"]
    context = "the </s> town"
    encoded = tokenizer.encode([Row(question="q", context=context)], 64)
    ranges = zip(encoded.context_start.tolist(), encoded.context_end.tolist(), strict=True)
    written = [context[start:end] for start, end in ranges]
    assert encoded.context_ids[written.index("</s>")] == tokenizer.unknown_id
