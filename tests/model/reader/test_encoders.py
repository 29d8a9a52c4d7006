from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForQuestionAnswering, AutoTokenizer

from ray_qa.reader.batching import BatchBudget
from ray_qa.reader.reader import Reader
from tests.model.conftest import EXACT, span_model_of
from tests.tiny import TEXT, TOKENIZER_OF, tiny_model

QUESTION = "Where does the river rise?"


@pytest.fixture(scope="module", params=TOKENIZER_OF)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of each architecture in turn."""
    return tiny_model(tmp_path_factory.mktemp(request.param), request.param)


@pytest.fixture(scope="module")
def reader(folder: Path) -> Reader:
    return Reader.load(str(folder), device="cpu", **EXACT)


def test_logits_equal_transformers_own(reader: Reader, folder: Path) -> None:
    model = AutoModelForQuestionAnswering.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    for context in TEXT:
        got = reader.logits(question=QUESTION, context=context, start_positions=[3], end_positions=[5])
        positions = {"start_positions": torch.tensor([3]), "end_positions": torch.tensor([5])}
        with torch.no_grad():
            expected = model(**tokenizer(QUESTION, context, return_tensors="pt"), **positions)
        torch.testing.assert_close(got.start_logits_WT, expected.start_logits)
        torch.testing.assert_close(got.end_logits_WT, expected.end_logits)
        assert got.loss is not None
        torch.testing.assert_close(got.loss, expected.loss)


def test_rows_of_different_lengths_are_answered_in_one_batch_as_they_are_alone(reader: Reader) -> None:
    together = reader.read([{"question": QUESTION, "context": context} for context in TEXT])
    for context, got in zip(TEXT, together, strict=True):
        alone = reader.answer(question=QUESTION, context=context)
        assert got.span == context[got.start : got.end]
        assert (got.start, got.end, got.status) == (alone.start, alone.end, alone.status)
        assert got.start_score == pytest.approx(alone.start_score, abs=1e-3)
        assert got.null_score == pytest.approx(alone.null_score, abs=1e-3)


def test_a_window_can_be_as_long_as_the_model_has_positions(reader: Reader) -> None:
    assert reader.backend.limits.max_positions == 512
    longest = reader.settings.model_copy(update={"max_tokens": 512})
    wide = Reader(tokenizer=reader.tokenizer, backend=reader.backend, settings=longest, budget=BatchBudget(2_048))
    assert wide.answer(question=QUESTION, context=" ".join(TEXT) * 4).status != "failed"


def test_the_model_is_loaded_in_the_arithmetic_asked_for(folder: Path) -> None:
    reader = Reader.load(str(folder), device="cpu", dtype="bfloat16", backend="torch")
    assert {parameter.dtype for parameter in span_model_of(reader).module.parameters()} == {torch.bfloat16}
    assert not span_model_of(reader).module.training
    logits = reader.logits(question=QUESTION, context=TEXT[0])
    assert logits.start_logits_WT.dtype == torch.float32
    assert reader.answer(question=QUESTION, context=TEXT[0]).status != "failed"


def test_half_precision_weights_are_float32_on_a_cpu_unless_asked_otherwise(tmp_path: Path) -> None:
    folder = tiny_model(tmp_path, "roberta")
    AutoModelForQuestionAnswering.from_pretrained(folder, dtype=torch.float16).save_pretrained(folder)
    reader = Reader.load(str(folder), device="cpu", **EXACT)
    assert {parameter.dtype for parameter in span_model_of(reader).module.parameters()} == {torch.float32}
