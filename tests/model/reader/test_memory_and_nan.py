from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from ray_qa.reader.backend import BrokenDeviceError
from ray_qa.reader.batching import BatchBudget
from ray_qa.reader.reader import Reader
from ray_qa.records import Row
from tests.model.conftest import span_model_of
from tests.tiny import TEXT

ROWS = [Row(question="Who was Jim?", context=text) for text in TEXT]


class Wrapped(torch.nn.Module):
    """A model with trouble: ``trouble`` sees every batch's ids, and may raise or change the logits."""

    def __init__(self, model: torch.nn.Module, trouble: Callable[[torch.Tensor, Any], None]) -> None:
        super().__init__()
        self.model = model
        self.trouble = trouble
        self.batches: list[int] = []

    def forward(self, input_ids: torch.Tensor, **inputs: torch.Tensor) -> Any:
        self.batches.append(len(input_ids))
        output = self.model(input_ids=input_ids, **inputs)
        self.trouble(input_ids, output)
        return output


def with_trouble(reader: Reader, trouble: Callable[[torch.Tensor, Any], None]) -> tuple[Reader, Wrapped]:
    model = span_model_of(reader)
    module = Wrapped(model.module, trouble)
    return replace(reader, backend=replace(model, module=module), budget=BatchBudget(4_096)), module


OUT_OF_MEMORY = (
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
    MemoryError(),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
)


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=["cuda", "python", "cublas", "cpu"])
@pytest.mark.parametrize("room", [1, 3, 7])
def test_a_batch_that_does_not_fit_the_memory_is_halved_until_it_does(
    room: int, error: Exception, tiny: Reader
) -> None:
    def needs_room(input_ids: torch.Tensor, _: Any) -> None:
        if len(input_ids) > room:
            raise error

    reader, module = with_trouble(tiny, needs_room)
    answers = reader.read(ROWS)
    assert max(module.batches) > room
    assert [(answer.span, answer.start, answer.windows) for answer in answers] == [
        (answer.span, answer.start, answer.windows) for answer in tiny.read(ROWS)
    ]


def test_a_window_that_never_fits_fails_its_row_alone(tiny: Reader) -> None:
    too_long = tiny.tokenizer.encode([ROWS[2]], 12).context_ids[0]

    def never_fits(input_ids: torch.Tensor, _: Any) -> None:
        if (input_ids == int(too_long)).any() or len(input_ids) > 4:
            raise torch.OutOfMemoryError("CUDA out of memory")

    reader, _ = with_trouble(tiny, never_fits)
    answers, expected = reader.read(ROWS), tiny.read(ROWS)
    failed = [at for at, row in enumerate(ROWS) if int(too_long) in tiny.tokenizer.encode([row], 12).context_ids]
    assert 0 < len(failed) < len(ROWS)
    for at, (answer, wanted) in enumerate(zip(answers, expected, strict=True)):
        assert answer.windows == wanted.windows
        if at in failed:
            assert (answer.status, answer.reason) == ("failed", "out_of_memory")
            assert answer.span is None
        else:
            assert answer.span == wanted.span


def test_a_device_that_fails_is_told_from_a_model_that_does(tiny: Reader) -> None:
    def fails(_: torch.Tensor, __: Any) -> None:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")

    reader, _ = with_trouble(tiny, fails)
    with pytest.raises(BrokenDeviceError, match="illegal memory access"):
        reader.read(ROWS)


def test_any_other_error_of_the_model_is_not_hidden(tiny: Reader) -> None:
    def breaks(_: torch.Tensor, __: Any) -> None:
        raise RuntimeError("The size of tensor a (3) must match the size of tensor b (4)")

    reader, _ = with_trouble(tiny, breaks)
    with pytest.raises(RuntimeError, match="size of tensor"):
        reader.read(ROWS)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("side", ["start_logits", "end_logits"])
def test_a_window_with_a_logit_that_is_not_finite_fails_its_row_alone(side: str, value: float, tiny: Reader) -> None:
    poison = tiny.tokenizer.fast_tokenizer.encode("\u00d0", add_special_tokens=False).ids[0]

    def poisons(input_ids: torch.Tensor, output: Any) -> None:
        windows = (input_ids == poison).any(dim=1)
        getattr(output, side)[windows, 3] = value

    reader, _ = with_trouble(tiny, poisons)
    rows = [*ROWS, Row(question="Who was Jim?", context=" ".join(TEXT[:2]) + " \u00d0 " + " ".join(TEXT[:2]))]
    poisoned = [poison in tiny.tokenizer.encode([row], 12).context_ids for row in rows]
    assert poisoned[-1]
    assert not all(poisoned)
    for got, wanted, bad in zip(reader.read(rows), tiny.read(rows), poisoned, strict=True):
        assert got.windows == wanted.windows
        if bad:
            assert (got.status, got.reason) == ("failed", "not_finite")
            assert got.span is None
        else:
            assert (got.span, got.start, got.end) == (wanted.span, wanted.start, wanted.end)
            assert got.null_score == pytest.approx(wanted.null_score, abs=1e-3)


def test_what_the_model_says_about_padding_does_not_matter(tiny: Reader) -> None:
    pad_id = tiny.tokenizer.template.pad_id

    def shouts_in_padding(input_ids: torch.Tensor, output: Any) -> None:
        output.start_logits[input_ids == pad_id] = float("nan")
        output.end_logits[input_ids == pad_id] = 1e30

    reader, _ = with_trouble(tiny, shouts_in_padding)
    calm, _ = with_trouble(tiny, lambda _, __: None)
    assert reader.read(ROWS) == calm.read(ROWS)
