"""Offsets on real text in three scripts, with a real byte-level and a real WordPiece vocabulary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from tokenizers import normalizers

from ray_qa.reader.pair_tokenizer import PairTokenizer
from ray_qa.reader.reader import Reader
from ray_qa.reader.tokenizer_loading import load_pair_tokenizer
from ray_qa.records import Row
from tests.model.reader.test_offsets import check_ranges, expected_byte_level_ranges, tokens_of, trimmed

ROWS = 400


@pytest.fixture(scope="module", params=["xquad_de", "xquad_zh", "squad_v1_dev_a_long"])
def rows(request: pytest.FixtureRequest, shared: Path) -> list[dict[str, Any]]:
    columns = ["context", "question", "answers"]
    table = pq.read_table(shared / "data" / f"{request.param}.parquet", columns=columns)
    return list(table.slice(0, ROWS).to_pylist())


@pytest.fixture(scope="module")
def contexts(rows: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(row["context"] for row in rows))


@pytest.fixture(scope="module")
def roberta(shared: Path) -> PairTokenizer:
    return load_pair_tokenizer(shared / "tokenizers" / "roberta-base")


def test_byte_level_tokens_have_the_characters_whose_bytes_they_hold(
    roberta: PairTokenizer, contexts: list[str]
) -> None:
    for context in contexts:
        tokens = tokens_of(roberta, context)
        expected = expected_byte_level_ranges([token.piece for token in tokens], context)
        written = [context[token.start : token.end] for token in tokens]
        assert written == [trimmed(context, *of_piece) for of_piece in expected]


def test_word_pieces_have_the_characters_that_normalise_to_them(embedded: Reader, contexts: list[str]) -> None:
    normalise = normalizers.BertNormalizer().normalize_str
    for context in contexts:
        check_ranges(embedded.tokenizer, context)
        for token in tokens_of(embedded.tokenizer, context):
            if token.piece != "[UNK]":
                assert normalise(context[token.start : token.end]).strip() == token.piece.removeprefix("##"), token


def test_nearly_every_gold_answer_can_be_given_to_the_character(
    roberta: PairTokenizer, embedded: Reader, rows: list[dict[str, Any]]
) -> None:
    for tokenizer in (roberta, embedded.tokenizer):
        missed = []
        encoded = tokenizer.encode([Row(question=row["question"], context=row["context"]) for row in rows], 64)
        for at, row in enumerate(rows):
            which = encoded.context_R[at]
            tokens = slice(encoded.context_offsets[which], encoded.context_offsets[which + 1])
            start, text = row["answers"]["answer_start"][0], row["answers"]["text"][0]
            assert row["context"][start : start + len(text)] == text
            text = text.strip()
            if start not in encoded.context_start[tokens] or start + len(text) not in encoded.context_end[tokens]:
                missed.append(text)
        # Some gold answers end inside a token, as "1990" of "1990er" can.
        assert len(missed) <= 0.05 * len(rows), missed
