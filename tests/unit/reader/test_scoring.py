"""Windows scored through a backend that is not torch's."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_qa.reader.arrays import Ints
from ray_qa.reader.backend import search_spans
from ray_qa.reader.batching import BatchBudget
from ray_qa.reader.collate import Template, collate
from ray_qa.reader.encoded import NO_REASON, EncodedRows
from ray_qa.reader.scoring import ScoredWindows, score_windows
from ray_qa.reader.windows import Windows
from ray_qa.settings import ReadingSettings
from tests.unit.reader.numpy_backend import NumpyBackend

SETTINGS = ReadingSettings(max_tokens=12, stride=2, max_question_tokens=3, max_answer_tokens=4)
TEMPLATE = Template(before=(0,), between=(1,), after=(1,), null_position=0, pad_id=2, context_type=None)
WORDS = 40
"""Token ids below 3 are special, the rest are words of one letter each."""


def encoded(contexts: list[list[int]], question: tuple[int, ...] = (3, 4)) -> EncodedRows:
    """Rows with one question; each context token is one character and a space."""
    lengths = [len(context) for context in contexts]
    positions = np.concatenate([np.arange(length) * 2 for length in lengths]).astype(np.int64)
    return EncodedRows(
        question_R=np.zeros(len(contexts), dtype=np.int64),
        question_offsets=np.array([0, len(question)]),
        question_ids=np.array(question),
        question_cut_R=np.zeros(len(contexts), dtype=np.int8),
        context_R=np.arange(len(contexts)),
        context_offsets=np.concatenate([[0], np.cumsum(lengths)]),
        context_ids=np.concatenate([np.array(context, dtype=np.int64) for context in contexts]),
        context_start=positions,
        context_end=positions + 1,
        reason_R=np.full(len(contexts), NO_REASON, dtype=np.int8),
    )


def windows_of(rows: EncodedRows) -> Windows:
    return rows.windows(SETTINGS, TEMPLATE.special_tokens)


def backend(seed: int = 0) -> NumpyBackend:
    draw = np.random.default_rng(seed)
    # Quarters, of which sums are exact, and few enough that spans tie.
    return NumpyBackend(
        start_logits=draw.integers(-12, 12, WORDS) / 4.0, end_logits=draw.integers(-12, 12, WORDS) / 4.0
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What was said about one window."""

    ranges: list[tuple[int, int]]
    scores: list[float]
    null_score: float
    log_sum: float


def told(scored: ScoredWindows) -> list[Window | str]:
    """What was said about each window, or what is wrong with it."""
    of, windows = scored.candidates, range(len(scored.fits_W))
    assert (np.diff(of.window_C) >= 0).all()
    assert of.start_score_C.dtype == of.end_score_C.dtype == scored.null_score_W.dtype == np.float64
    own = [np.flatnonzero(of.window_C == window) for window in windows]
    assert all(scored.finite_W[window] and scored.fits_W[window] for window in windows if len(own[window]))
    return [
        Window(
            ranges=list(zip(of.start_C[own[window]].tolist(), of.end_C[own[window]].tolist(), strict=True)),
            scores=(of.start_score_C + of.end_score_C)[own[window]].tolist(),
            null_score=float(scored.null_score_W[window]),
            log_sum=float(scored.log_sum_W[window]),
        )
        if scored.fits_W[window] and scored.finite_W[window]
        else ("not finite" if scored.fits_W[window] else "does not fit")
        for window in windows
    ]


contexts = st.lists(st.lists(st.integers(3, WORDS - 1), min_size=1, max_size=25), min_size=1, max_size=6)


@given(contexts, st.integers(1, 60), st.integers(0, 99), st.integers(1, 5))
def test_every_window_has_its_own_scores_whatever_the_batches(
    texts: list[list[int]], batch_tokens: int, seed: int, n_best: int
) -> None:
    rows, fake = encoded(texts), backend(seed)
    settings = SETTINGS.model_copy(update={"n_best": n_best})
    windows = windows_of(rows)
    scored = score_windows(fake, TEMPLATE, rows, windows, settings, BatchBudget(batch_tokens))
    for number, window in enumerate(told(scored)):
        assert isinstance(window, Window)
        alone = fake.score(collate(rows, windows, np.array([number]), TEMPLATE), TEMPLATE.null_position, settings)
        spans = alone.spans
        there = [k for k in range(spans.first_WK.shape[1]) if spans.start_score_WK[0, k] > -np.inf]
        assert window.scores == [float(spans.start_score_WK[0, k] + spans.end_score_WK[0, k]) for k in there]
        assert window.ranges == [
            (
                int(rows.context_start[_token(rows, windows, number, int(spans.first_WK[0, k]))]),
                int(rows.context_end[_token(rows, windows, number, int(spans.last_WK[0, k]))]),
            )
            for k in there
        ]
        assert 1 <= len(there) <= n_best
        assert (window.null_score, window.log_sum) == (float(alone.null_score_W[0]), float(spans.log_sum_W[0]))


@given(contexts, st.integers(0, 99), st.integers(1, 5))
def test_the_search_over_arrays_finds_what_plain_loops_find(texts: list[list[int]], seed: int, n_best: int) -> None:
    rows, fake = encoded(texts), backend(seed)
    settings = SETTINGS.model_copy(update={"n_best": n_best})
    windows = windows_of(rows)
    batch = collate(rows, windows, np.arange(len(windows)), TEMPLATE)
    start_WT, end_WT = fake.start_logits[batch.input_ids_WT], fake.end_logits[batch.input_ids_WT]
    slow = fake.score(batch, TEMPLATE.null_position, settings)
    fast = search_spans(start_WT, end_WT, batch, TEMPLATE.null_position, settings)
    assert fast.finite_W.all()
    assert fast.null_score_W.tolist() == slow.null_score_W.tolist()
    assert fast.spans.log_sum_W.tolist() == pytest.approx(slow.spans.log_sum_W.tolist())
    most = min(fast.spans.first_WK.shape[1], slow.spans.first_WK.shape[1])
    for name in ("first_WK", "last_WK", "start_score_WK", "end_score_WK"):
        found, expected = getattr(fast.spans, name)[:, :most], getattr(slow.spans, name)[:, :most]
        there = slow.spans.start_score_WK[:, :most] > -np.inf
        assert found[there].tolist() == expected[there].tolist(), name


@pytest.mark.parametrize("room", [1, 2, 5])
def test_a_batch_that_a_backend_has_no_memory_for_is_halved_until_it_fits(room: int) -> None:
    rows, fake = encoded([[5, 6, 7, 8, 9]] * 11), backend()
    small = replace(fake, room=room, batches=[])
    expected = told(score_windows(fake, TEMPLATE, rows, windows_of(rows), SETTINGS, BatchBudget(1_000)))
    scored = score_windows(small, TEMPLATE, rows, windows_of(rows), SETTINGS, BatchBudget(1_000))
    assert told(scored) == expected
    assert max(small.batches) == 11
    assert sum(size for size in small.batches if size <= room) == 11


def test_a_budget_that_did_not_fit_stays_lower_for_what_comes_later() -> None:
    rows, small, budget = encoded([[5, 6, 7, 8, 9]] * 40), replace(backend(), room=5, batches=[]), BatchBudget(1_000)
    score_windows(small, TEMPLATE, rows, windows_of(rows), SETTINGS, budget)
    assert [size for size in small.batches if size > 5] == [40, 20, 10]
    small.batches.clear()
    score_windows(small, TEMPLATE, rows, windows_of(rows), SETTINGS, budget)
    assert small.batches == [5] * 8


def test_a_window_that_never_fits_and_one_with_no_number_leave_the_others_alone() -> None:
    rows, fake = encoded([[5, 6], [20, 6], [7, 21], [8, 9]]), backend()
    broken = replace(fake, too_big=20, start_logits=np.where(np.arange(WORDS) == 21, np.nan, fake.start_logits))
    scored = score_windows(broken, TEMPLATE, rows, windows_of(rows), SETTINGS, BatchBudget(1_000))
    expected = told(score_windows(fake, TEMPLATE, rows, windows_of(rows), SETTINGS, BatchBudget(1_000)))
    assert told(scored) == [expected[0], "does not fit", "not finite", expected[3]]


def test_no_windows_are_no_trouble() -> None:
    rows = encoded([[]])
    scored = score_windows(backend(), TEMPLATE, rows, windows_of(rows), SETTINGS, BatchBudget(1_000))
    assert (told(scored), len(scored.candidates.window_C)) == ([], 0)


def _token(rows: EncodedRows, windows: Windows, window: int, position: int) -> Ints:
    """Where a window's token lies in the flat arrays of contexts."""
    row, question = windows.row[window], int(rows.question_offsets[1])
    before = len(TEMPLATE.before) + question + len(TEMPLATE.between)
    place: Ints = rows.context_offsets[row] + windows.start[window] + position - before
    return place
