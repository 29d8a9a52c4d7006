"""What is inspected is what transformers computes, what finetune learns from, and what a reader chooses by."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoModelForQuestionAnswering, AutoTokenizer

from ray_qa.data.example_schema import SCHEMA
from ray_qa.errors import InputError, ModelError
from ray_qa.finetuning.dataset import open_training_set, write_shard
from ray_qa.finetuning.labelling import label_examples
from ray_qa.reader.inspection import Inspection
from ray_qa.reader.reader import Reader
from ray_qa.records import Row
from tests.model.conftest import EXACT, SMALL, OpenReader, PairTokenizers
from tests.model.reader.oracle import read_plainly
from tests.tiny import TOKENIZER_FAMILIES, tiny_model
from tests.unit.reader.numpy_backend import NumpyBackend

QUESTION = "  Which bridge?"
CONTEXT = "In 1815 the river rose by 3.5 metres (about 11 feet) and the old bridge at Ulm was carried away. " * 3
ANSWER = "at Ulm"
TEXTS = st.text(
    st.one_of(
        st.sampled_from("the river rose, café (3.5) 東京 👩‍👧 e\u0301\u3000\t\n</s>"), st.characters(codec="utf-8")
    ),
    min_size=1,
    max_size=60,
)
FAMILIES_OF_MODELS = ("roberta", "bert", "xlm-roberta")


@pytest.fixture(params=FAMILIES_OF_MODELS)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tiny_model(tmp_path, request.param)


@functools.cache
def transformers_windows(folder: Path) -> Any:
    """The windows of the row as transformers' own tokenizer cuts them."""
    return AutoTokenizer.from_pretrained(folder)(
        QUESTION.lstrip(),
        CONTEXT,
        truncation="only_second",
        max_length=SMALL.max_tokens,
        stride=SMALL.stride,
        return_overflowing_tokens=True,
        return_offsets_mapping=True,
    )


def test_logits_probabilities_and_losses_are_those_of_transformers(folder: Path) -> None:
    seen = Reader.load(str(folder), settings=SMALL, device="cpu", **EXACT).inspect(
        QUESTION, CONTEXT, ANSWER, answer_start=CONTEXT.index(ANSWER)
    )
    model = AutoModelForQuestionAnswering.from_pretrained(folder, dtype=torch.float32).eval()
    encoded = transformers_windows(folder)
    assert len(seen.windows) == len(encoded["input_ids"]) > 2
    labels = [window.label for window in seen.windows if window.label is not None]
    assert {label.holds_answer for label in labels} == {True, False}
    for number, (window, label) in enumerate(zip(seen.windows, labels, strict=True)):
        assert [token.id for token in window.tokens] == encoded["input_ids"][number]
        names = [name for name in ("input_ids", "attention_mask", "token_type_ids") if name in encoded]
        with torch.no_grad():
            output = model(
                **{name: torch.tensor([encoded[name][number]]) for name in names},
                start_positions=torch.tensor([label.start_position]),
                end_positions=torch.tensor([label.end_position]),
            )
        for side in ("start", "end"):
            expected = getattr(output, f"{side}_logits")[0]
            logits = torch.tensor([getattr(token, f"{side}_logit") for token in window.tokens])
            probabilities = torch.tensor([getattr(token, f"{side}_probability") for token in window.tokens])
            torch.testing.assert_close(logits, expected, atol=1e-4, rtol=1e-4)
            torch.testing.assert_close(probabilities, expected.softmax(0), atol=1e-4, rtol=1e-3)
        assert label.loss == pytest.approx(float(output.loss), rel=1e-4)
        assert label.start_loss == pytest.approx(
            -float(output.start_logits.log_softmax(1)[0, label.start_position]), rel=1e-4
        )
        assert label.loss == (label.start_loss + label.end_loss) / 2


def test_the_best_pairs_are_those_of_a_search_by_brute_force(folder: Path) -> None:
    seen = Reader.load(str(folder), settings=SMALL, device="cpu", **EXACT).inspect(QUESTION, CONTEXT, n_best=10)
    plain = read_plainly(folder, QUESTION, CONTEXT, SMALL)
    assert [(pair.span.start, pair.span.end) for pair in seen.best] == list(plain.ranked[:10])
    assert seen.best[0].span.start_score == pytest.approx(plain.start_score, abs=1e-4)
    assert seen.null_score == pytest.approx(plain.null_score, abs=1e-4)
    assert seen.margin == pytest.approx(plain.start_score + plain.end_score - plain.null_score, abs=2e-4)
    for pair in seen.best:
        first, last = (seen.windows[pair.window].tokens[at] for at in (pair.start_position, pair.end_position))
        assert (first.char_start, last.char_end) == (pair.span.start, pair.span.end)
        assert (first.start_logit, last.end_logit) == (pair.span.start_score, pair.span.end_score)
        assert first.eligible
        assert last.eligible
        assert 0 <= last.position - first.position < SMALL.max_answer_tokens


@pytest.mark.parametrize("null_threshold", [-1_000.0, 0.0, 1_000.0])
@pytest.mark.parametrize("always_answer", [True, False])
def test_what_wins_is_what_a_reader_answers(open_tiny: OpenReader, null_threshold: float, always_answer: bool) -> None:
    reader = open_tiny(null_threshold=null_threshold, always_answer=always_answer)
    seen, answer = reader.inspect(QUESTION, CONTEXT), reader.answer(QUESTION, CONTEXT)
    assert (seen.answer.status, seen.answer.answer, seen.answer.start) == (answer.status, answer.answer, answer.start)
    assert seen.answer.confidence == pytest.approx(answer.confidence, abs=1e-4)
    assert seen.null_score == seen.answer.null_score
    assert (seen.margin < -null_threshold and not always_answer) == (seen.answer.status == "no_answer")


@settings(max_examples=40, deadline=None)
@given(context=TEXTS, data=st.data())
def test_labels_are_those_that_finetune_learns_from(tiny: Reader, context: str, data: st.DataObject) -> None:
    context = context * 4
    start = data.draw(st.integers(0, len(context) - 1))
    answer = context[start : start + data.draw(st.integers(1, 30))]
    row = {
        "id": "1",
        "question": "what?",
        "context": context,
        "answers": {"text": [answer], "answer_start": [start]},
    }
    tokenizer = tiny.tokenizer
    labelled = label_examples(pa.Table.from_pylist([row], schema=SCHEMA), 0, tokenizer, SMALL.max_question_tokens)
    if not labelled.counts.answerable:
        with pytest.raises(InputError):
            tiny.inspect("what?", context, answer, answer_start=start)
        return
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "0.arrow"
        write_shard(path, labelled.rows, labelled.counts)
        training_set = open_training_set([path], SMALL, tokenizer.template.special_tokens)
        every = np.arange(len(training_set.windows))
        batch = training_set.batch(every, training_set.label(seed=0, epoch=0), tokenizer.template)
    labels = [window.label for window in tiny.inspect("what?", context, answer, answer_start=start).windows]
    assert [label and label.start_position for label in labels] == batch.start_positions_B.tolist()
    assert [label and label.end_position for label in labels] == batch.end_positions_B.tolist()


@settings(max_examples=60, deadline=None)
@given(family=st.sampled_from(TOKENIZER_FAMILIES), question=TEXTS)
def test_ranges_in_questions_are_slices_of_them_as_they_would_be_of_contexts(
    tokenizers: PairTokenizers, family: Any, question: str
) -> None:
    tokenizer = tokenizers[family]
    ranges = tokenizer.question_ranges(question, 16).tolist()
    assert all(0 <= start <= end <= len(question) for start, end in ranges)
    texts = [question[start:end] for start, end in ranges]
    assert texts == [text.strip() for text in texts]
    if question.strip():
        bare = question.lstrip()
        encoded = tokenizer.encode([Row(question=bare, context=bare)], 16)
        shift = len(question) - len(bare)
        assert [start - shift for start, _ in ranges] == encoded.context_start[:16].tolist()
        assert len(ranges) == encoded.question_offsets[1]


@settings(max_examples=40, deadline=None)
@given(question=TEXTS, context=TEXTS)
def test_character_ranges_are_slices_of_the_texts(tiny: Reader, question: str, context: str) -> None:
    question, context = f"{question}x", f"{context}x"
    seen = tiny.inspect(question, context)
    read = {"question": question, "context": context}
    for token in [token for window in seen.windows for token in window.tokens]:
        if token.part == "special":
            assert token.char_start is None
            assert token.char_end is None
            continue
        assert token.char_start is not None
        assert token.char_end is not None
        assert 0 <= token.char_start <= token.char_end <= len(read[token.part])
        text = read[token.part][token.char_start : token.char_end]
        assert text == text.strip()
        assert token.eligible == (token.part == "context" and text != "")
    assert _text_of(seen, "context") == "".join(context.split())


def _text_of(seen: Inspection, part: str) -> str:
    """All characters that some token of the part stands for, without white space."""
    whole = seen.context
    places = {
        at
        for window in seen.windows
        for token in window.tokens
        if token.part == part and token.char_start is not None and token.char_end is not None
        for at in range(token.char_start, token.char_end)
    }
    return "".join("".join(whole[at] for at in sorted(places)).split())


def test_a_question_without_an_answer_is_labelled_as_null_in_every_window(tiny: Reader) -> None:
    seen = tiny.inspect(QUESTION, CONTEXT, "")
    assert seen.gold is None
    for window in seen.windows:
        assert window.label is not None
        assert not window.label.holds_answer
        assert window.label.start_position == window.label.end_position == window.null_position


def test_without_an_answer_there_is_no_label(tiny: Reader) -> None:
    assert {window.label for window in tiny.inspect(QUESTION, CONTEXT).windows} == {None}


def test_an_answer_at_another_place_than_stated_is_said_to_be_repaired(tiny: Reader) -> None:
    context = "the old bridge at Ulm"
    gold = tiny.inspect("where?", context, "at Ulm", answer_start=3).gold
    assert gold is not None
    assert (gold.text, gold.start, gold.repaired) == ("at Ulm", 15, True)
    stated = tiny.inspect("where?", context, "ridge at", answer_start=9).gold
    assert stated is not None
    assert (stated.repaired, stated.aligned) == (False, False)


@pytest.mark.parametrize(
    ("question", "context", "answer", "problem"),
    [
        ("q", CONTEXT, "bridge", r"`answer` must be a text of the context, but 'bridge' is at several places in it;"),
        ("q", CONTEXT, "tower", r"`answer` must be a text of the context, but 'tower' is not in it$"),
        ("q", CONTEXT, "  ", r"`answer` must be a text of the context, but '  ' is white space$"),
        (" ", CONTEXT, None, r"^`question` must be a text, but has white space alone \(question_empty\)$"),
        ("q", "\n", None, r"^`context` must be a text, but has white space alone \(context_empty\)$"),
        ("q", None, None, r"`context` must be a text, but is None$"),
        ("q", CONTEXT, 3, r"`answer` must be a text, but is 3$"),
        ("q", CONTEXT * 40, None, r"`context` must make at most 64 windows to be inspected, but makes \d+; give"),
    ],
)  # fmt: skip
def test_what_cannot_be_inspected_is_refused_in_one_line(
    tiny: Reader, question: Any, context: Any, answer: Any, problem: str
) -> None:
    with pytest.raises(InputError, match=problem) as caught:
        tiny.inspect(question, context, answer)
    assert len(caught.value.problems) == 1


def test_a_backend_without_logits_is_refused(tiny: Reader) -> None:
    blind = Reader(
        tokenizer=tiny.tokenizer,
        backend=NumpyBackend(start_logits=np.zeros(400), end_logits=np.zeros(400)),
        settings=tiny.settings,
        budget=tiny.budget,
    )
    with pytest.raises(ModelError, match="load the reader with backend='torch'"):
        blind.inspect(QUESTION, CONTEXT)
