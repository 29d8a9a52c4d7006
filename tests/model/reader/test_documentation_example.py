"""The example of the RoBERTa documentation: positions in, loss and logits out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForQuestionAnswering, AutoTokenizer, RobertaForQuestionAnswering

from ray_qa.errors import ModelError
from ray_qa.reader.reader import Reader
from ray_qa.reader.span_model import SpanLogits
from tests.model.conftest import EXACT

QUESTION, CONTEXT = "Who was Jim Henson?", "Jim Henson was a nice puppet"


@pytest.fixture(scope="module")
def reader(tiny_reader_folder: Path) -> Reader:
    return Reader.load(str(tiny_reader_folder), device="cpu", **EXACT)


def run_transformers(folder: Path, **positions: torch.Tensor) -> Any:
    model = AutoModelForQuestionAnswering.from_pretrained(folder, dtype=torch.float32).eval()
    assert isinstance(model, RobertaForQuestionAnswering)
    inputs = AutoTokenizer.from_pretrained(folder)(QUESTION, CONTEXT, return_tensors="pt")
    with torch.no_grad():
        return model(**inputs, **positions)


def test_logits_equal_those_of_transformers(reader: Reader, tiny_reader_folder: Path) -> None:
    got = reader.logits(question=QUESTION, context=CONTEXT)
    expected = run_transformers(tiny_reader_folder)
    assert isinstance(got, SpanLogits)
    assert got.loss is None
    torch.testing.assert_close(got.start_logits_WT, expected.start_logits)
    torch.testing.assert_close(got.end_logits_WT, expected.end_logits)


def test_positions_give_the_loss_that_transformers_gives(reader: Reader, tiny_reader_folder: Path) -> None:
    got = reader.logits(question=QUESTION, context=CONTEXT, start_positions=[14], end_positions=[15])
    expected = run_transformers(
        tiny_reader_folder, start_positions=torch.tensor([14]), end_positions=torch.tensor([15])
    )
    assert got.loss is not None
    assert got.loss.shape == ()
    torch.testing.assert_close(got.loss, expected.loss)
    torch.testing.assert_close(got.start_logits_WT, expected.start_logits)


def test_the_loss_is_the_mean_of_the_two_cross_entropies(reader: Reader) -> None:
    got = reader.logits(question=QUESTION, context=CONTEXT, start_positions=[12], end_positions=[16])
    start = -got.start_logits_WT.log_softmax(dim=1)[0, 12]
    end = -got.end_logits_WT.log_softmax(dim=1)[0, 16]
    assert got.loss is not None
    torch.testing.assert_close(got.loss, (start + end) / 2)


def test_the_answer_is_the_best_span_of_those_logits(reader: Reader) -> None:
    got = reader.logits(question=QUESTION, context=CONTEXT)
    answer = reader.answer(question=QUESTION, context=CONTEXT)
    assert answer.start_score is not None
    assert torch.isclose(got.start_logits_WT, torch.tensor(answer.start_score), atol=1e-4).any()
    assert answer.null_score == pytest.approx(float(got.start_logits_WT[0, 0] + got.end_logits_WT[0, 0]), abs=1e-4)


def test_a_pair_beyond_the_models_positions_is_refused_in_one_line(reader: Reader) -> None:
    with pytest.raises(ModelError, match=r"must fit the model's 512 positions, but take \d+; use read$"):
        reader.logits(question=QUESTION, context=CONTEXT * 200)


def test_the_docstrings_say_what_each_output_is() -> None:
    said = " ".join(f"{Reader.logits.__doc__} {SpanLogits.__doc__}".split())
    for term in ("start_positions", "end_positions", "start_logits", "end_logits", "loss", "roberta-base"):
        assert term in said
