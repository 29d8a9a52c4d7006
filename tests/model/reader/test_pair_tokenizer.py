from __future__ import annotations

import gc
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from ray_qa.reader import pair_tokenizer
from ray_qa.reader.collate import Batch, collate
from ray_qa.reader.encoded import EncodedRows
from ray_qa.reader.pair_tokenizer import PairTokenizer
from ray_qa.reader.tokenizer_loading import load_pair_tokenizer
from ray_qa.records import Reason, Row
from ray_qa.settings import MAX_CONTEXT_CHARS, ReadingSettings
from tests.model.conftest import PairTokenizers
from tests.tiny import TOKENIZER_FAMILIES, TokenizerFamily, save_tokenizer

PAIRS = (
    ("Who was Jim Henson?", "Jim Henson was a nice puppet."),
    ("Where does the river rise?", "東京は日本の首都です。 The river: cafe\u0301 👍🏽"),
    ("When?", "In 1815\r\nthe  river rose\tby 3.5 metres."),
    ("人口は？", " leading"),
)


def batch_of(tokenizer: PairTokenizer, question: str, context: str, **changes: Any) -> Batch:
    wanted = ReadingSettings(**changes)
    encoded = tokenizer.encode([Row(question=question, context=context)], wanted.max_question_tokens)
    windows = encoded.windows(wanted, tokenizer.template.special_tokens)
    return collate(encoded, windows, np.arange(len(windows)), tokenizer.template)


@pytest.mark.parametrize("family", TOKENIZER_FAMILIES)
@pytest.mark.parametrize("pair", PAIRS)
def test_a_short_pair_is_joined_as_transformers_joins_it(
    pair: tuple[str, str],
    family: TokenizerFamily,
    tokenizers: PairTokenizers,
    tokenizer_folders: dict[TokenizerFamily, Path],
) -> None:
    expected = AutoTokenizer.from_pretrained(tokenizer_folders[family])(*pair)
    batch = batch_of(tokenizers[family], *pair)
    assert batch.input_ids_WT.tolist() == [expected["input_ids"]]
    assert batch.attention_mask_WT.tolist() == [expected["attention_mask"]]
    types = None if batch.token_type_ids_WT is None else batch.token_type_ids_WT.tolist()
    assert types == ([expected["token_type_ids"]] if "token_type_ids" in expected else None)


@pytest.mark.parametrize(
    ("family", "takes_segments"),
    [("byte_level_bpe", False), ("word_piece", True), ("sentence_piece", False), ("deberta", True), ("mpnet", False)],
)
def test_only_models_with_segments_get_token_type_ids(
    family: TokenizerFamily, takes_segments: bool, tokenizers: PairTokenizers
) -> None:
    types_WT = batch_of(tokenizers[family], *PAIRS[0]).token_type_ids_WT
    if takes_segments:
        assert types_WT is not None
        assert set(types_WT.flatten().tolist()) == {0, 1}
    else:
        assert types_WT is None


def test_the_context_tokens_alone_can_be_answers(tokenizer: PairTokenizer) -> None:
    question, context = PAIRS[0]
    batch = batch_of(tokenizer, question, context)
    template = tokenizer.template
    before = len(template.before) + len(tokenizer.fast_tokenizer.encode(question, add_special_tokens=False).ids)
    eligible = batch.eligible_WT[0]
    assert not eligible[: before + len(template.between)].any()
    assert not eligible[len(eligible) - len(template.after) :].any()
    assert eligible.any()


def test_spaces_before_a_question_are_stripped(tokenizer: PairTokenizer) -> None:
    plain, spaced = (batch_of(tokenizer, question, "The town.") for question in ("Who was?", " \u00a0\n Who was?"))
    assert plain.input_ids_WT.tolist() == spaced.input_ids_WT.tolist()


def test_a_long_question_is_cut_and_the_cut_recorded(tokenizer: PairTokenizer) -> None:
    rows = [Row(question="Who was Jim Henson? " * repeats, context="a puppet") for repeats in (1, 20)]
    long_question = str(rows[1].question)
    encoded = tokenizer.encode(rows, 40)
    whole = tokenizer.fast_tokenizer.encode(long_question, add_special_tokens=False).ids
    first, second = encoded.question_offsets[1:].tolist()
    assert encoded.question_ids[first:second].tolist() == whole[:40]
    assert encoded.question_cut_R.tolist() == [0, 1]


def test_a_question_of_exactly_the_limit_is_not_cut(tokenizer: PairTokenizer) -> None:
    question = "Who was Jim Henson?"
    tokens = len(tokenizer.fast_tokenizer.encode(question, add_special_tokens=False).ids)
    assert tokenizer.encode([Row(question=question, context="a")], tokens).question_cut_R.tolist() == [0]
    assert tokenizer.encode([Row(question=question, context="a")], tokens - 1).question_cut_R.tolist() == [1]


@pytest.mark.parametrize("family", TOKENIZER_FAMILIES)
def test_truncation_and_padding_saved_with_a_tokenizer_are_cleared(
    family: TokenizerFamily, tokenizers: PairTokenizers, tmp_path: Path
) -> None:
    folder = save_tokenizer(tmp_path / family, family)
    saved = json.loads((folder / "tokenizer.json").read_text())
    saved["truncation"] = {"direction": "Right", "max_length": 8, "strategy": "LongestFirst", "stride": 0}
    saved["padding"] = {
        "strategy": {"Fixed": 128},
        "direction": "Right",
        "pad_to_multiple_of": None,
        "pad_id": tokenizers[family].template.pad_id,
        "pad_type_id": 0,
        "pad_token": next(token["content"] for token in saved["added_tokens"] if "pad" in token["content"].lower()),
    }
    (folder / "tokenizer.json").write_text(json.dumps(saved))

    row = Row(question="Who was Jim Henson?", context="The quick brown fox jumps over the lazy dog. " * 5)
    with_settings, without = load_pair_tokenizer(folder).encode([row], 64), tokenizers[family].encode([row], 64)
    assert len(with_settings.context_ids) > 40
    assert with_settings.context_ids.tolist() == without.context_ids.tolist()
    assert with_settings.question_ids.tolist() == without.question_ids.tolist()
    assert load_pair_tokenizer(folder).template == tokenizers[family].template


def test_texts_that_repeat_are_held_once(tokenizer: PairTokenizer) -> None:
    contexts = ["The town.", "The river rose.", "The town.", "The town."]
    encoded = tokenizer.encode([Row(question="Who was?", context=context) for context in contexts], 64)
    assert encoded.context_R.tolist() == [0, 1, 0, 0]
    assert encoded.question_R.tolist() == [0, 0, 0, 0]
    assert len(encoded.context_offsets) == 3
    assert len(encoded.question_offsets) == 2


BAD_ROWS: list[tuple[Row, Reason]] = [
    (Row(question=None, context="c"), "question_missing"),
    (Row(question="", context="c"), "question_empty"),
    (Row(question=" \u00a0\n", context="c"), "question_empty"),
    (Row(question="q\ud800", context="c"), "question_not_unicode"),
    (Row(question="q", context=None), "context_missing"),
    (Row(question="q", context=""), "context_empty"),
    (Row(question="q", context="\t \u3000"), "context_empty"),
    (Row(question="q", context="c \udfff"), "context_not_unicode"),
    (Row(question="q", context="c" * (MAX_CONTEXT_CHARS + 1)), "context_too_long"),
]


@pytest.mark.parametrize(("row", "reason"), BAD_ROWS, ids=[f"{at}-{reason}" for at, (_, reason) in enumerate(BAD_ROWS)])
def test_a_row_that_cannot_be_read_has_its_reason_and_no_windows(
    row: Row, reason: Reason, tokenizer: PairTokenizer
) -> None:
    good = Row(question="q", context="c")
    encoded = tokenizer.encode([good, row, good], 64)
    assert [encoded.reason(at) for at in range(3)] == [None, reason, None]
    assert encoded.windows(ReadingSettings(), tokenizer.template.special_tokens).row.tolist() == [0, 2]


@pytest.mark.parametrize("family", ["word_piece", "mpnet"])
def test_texts_that_a_tokenizer_drops_have_a_reason(family: TokenizerFamily, tokenizers: PairTokenizers) -> None:
    rows = [Row(question="q", context="\x00\u200b \x07"), Row(question="\u200b\x00", context="c")]
    encoded = tokenizers[family].encode(rows, 64)
    assert [encoded.reason(0), encoded.reason(1)] == ["context_no_text", "question_no_text"]


def test_no_rows_are_encoded_as_no_rows(tokenizer: PairTokenizer) -> None:
    encoded = tokenizer.encode([], 64)
    assert len(encoded) == 0
    assert len(encoded.windows(ReadingSettings(), tokenizer.template.special_tokens)) == 0


ANY_ROW = st.builds(
    Row,
    question=st.none() | st.text(st.characters(), max_size=20),
    context=st.none() | st.text(st.characters(), max_size=40),
)


@given(rows=st.lists(ANY_ROW, max_size=4))
@settings(deadline=None, max_examples=100)
def test_encoding_never_raises_whatever_the_rows_hold(tokenizers: PairTokenizers, rows: list[Row]) -> None:
    for tokenizer in tokenizers.values():
        encoded = tokenizer.encode(rows, 8)
        assert len(encoded) == len(rows)
        for at, row in enumerate(rows):
            check_reason(encoded.reason(at), row)
        again = EncodedRows.from_ipc(encoded.to_ipc())
        assert again.context_end.tolist() == encoded.context_end.tolist()


def check_reason(reason: Reason | None, row: Row) -> None:
    """Lone surrogates and missing texts have the reasons that say so; texts with letters have none."""
    texts = {"question": row.question, "context": row.context}
    for name, text in texts.items():
        if text is None:
            assert reason == f"{name}_missing"
            return
        if any("\ud800" <= character <= "\udfff" for character in text):
            assert reason == f"{name}_not_unicode"
            return
        if not text.strip():
            assert reason == f"{name}_empty"
            return
    assert reason in (None, "question_no_text", "context_no_text")


def test_the_real_roberta_tokenizer_gives_the_ids_of_the_documentation(shared: Path) -> None:
    tokenizer = load_pair_tokenizer(shared / "tokenizers" / "roberta-base")
    batch = batch_of(tokenizer, "Who was Jim Henson?", "Jim Henson was a nice puppet")
    assert batch.input_ids_WT[0, :10].tolist() == [0, 12375, 21, 2488, 289, 13919, 116, 2, 2, 24021]
    assert batch.token_type_ids_WT is None


def test_a_tokenizer_whose_files_have_changed_is_loaded_anew(tmp_path: Path) -> None:
    save_tokenizer(tmp_path, "byte_level_bpe")
    first = load_pair_tokenizer(tmp_path)
    assert load_pair_tokenizer(tmp_path) is first
    for path in tmp_path.iterdir():
        path.unlink()
    save_tokenizer(tmp_path, "word_piece")
    assert load_pair_tokenizer(tmp_path).template != first.template


@pytest.mark.parametrize("family", TOKENIZER_FAMILIES)
@given(question=st.text(st.sampled_from("ab e\u0301é🦊犬\t\u00a0\u200b</s>[SEP]한"), min_size=1, max_size=30))
@settings(max_examples=30)
def test_a_question_has_the_ids_that_it_has_as_a_context(
    question: str, family: TokenizerFamily, tokenizers: PairTokenizers
) -> None:
    encoded = tokenizers[family].encode([Row(question=f"a{question}", context=f"a{question}")], 1_000)
    assert encoded.question_ids.tolist() == encoded.context_ids.tolist()


@pytest.mark.parametrize("was_on", [True, False])
def test_the_garbage_collector_is_left_as_it_was(
    was_on: bool, tokenizers: PairTokenizers, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []

    def fails(*_: Any) -> None:
        seen.append(gc.isenabled())
        raise RuntimeError

    monkeypatch.setattr(pair_tokenizer, "readable_ranges", fails)
    try:
        (gc.enable if was_on else gc.disable)()
        with pytest.raises(RuntimeError):
            tokenizers["word_piece"].encode([Row(question="Who?", context="It was Jim.")], 12)
        assert (seen, gc.isenabled()) == ([False], was_on)
    finally:
        gc.enable()
