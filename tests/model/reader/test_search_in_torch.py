"""The span search over torch tensors, as on a device whose memory NumPy cannot see, against that over NumPy arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ray_qa.reader import spans
from ray_qa.reader.spans import WindowSpans, best_spans
from tests.unit.reader.test_spans import Case, cases


@given(cases(), st.integers(1, 5))
@settings(max_examples=60)
def test_torch_and_numpy_find_the_same_spans(case: Case, n_best: int) -> None:
    expected = case.search(n_best)
    with pytest.MonkeyPatch.context() as patch:
        alike_to_log_sum(search_in_torch(case, n_best), expected)
        patch.setattr(spans, "without_torch_on_cpu", lambda array: array)
        alike_to_log_sum(search_in_torch(case, n_best), expected)


def search_in_torch(case: Case, n_best: int) -> WindowSpans:
    ranges: dict[str, Any] = {"char_start_WT": case.char_start_WT, "char_end_WT": case.char_end_WT}
    start_WT, end_WT = torch.from_numpy(case.start_WT), torch.from_numpy(case.end_WT)
    return best_spans(
        start_WT, end_WT, case.eligible_WT, max_answer_tokens=case.max_answer_tokens, n_best=n_best, **ranges
    )


def alike_to_log_sum(found: WindowSpans, expected: WindowSpans) -> None:
    there = expected.start_score_WK > -np.inf
    for name in ("first_WK", "last_WK"):
        assert getattr(found, name)[there].tolist() == getattr(expected, name)[there].tolist(), name
    for name in ("start_score_WK", "end_score_WK"):
        assert getattr(found, name).tolist() == getattr(expected, name).tolist(), name
    assert found.log_sum_W.tolist() == pytest.approx(expected.log_sum_W.tolist(), rel=1e-5, abs=1e-5)
