from __future__ import annotations

import dataclasses

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ray_qa.reader.collate import Batch, Template, collate
from ray_qa.reader.encoded import EncodedRows
from ray_qa.reader.windows import Windows
from ray_qa.settings import ReadingSettings
from tests.unit.reader.test_encoded import encoded_rows

ROBERTA = Template(before=(0,), between=(2, 2), after=(2,), null_position=0, pad_id=1, context_type=None)
BERT = Template(before=(101,), between=(102,), after=(102,), null_position=0, pad_id=0, context_type=1)
ODD = Template(before=(7, 8), between=(), after=(9, 9, 9), null_position=1, pad_id=5, context_type=3)


@dataclasses.dataclass(frozen=True)
class Case:
    questions: list[list[int]]
    contexts: list[list[int]]
    ranges: list[list[tuple[int, int]]]
    rows: list[tuple[int, int, int]]
    template: Template
    settings: ReadingSettings

    @property
    def encoded(self) -> EncodedRows:
        flat = [characters for of_text in self.ranges for characters in of_text]
        return dataclasses.replace(
            encoded_rows(self.questions, self.contexts, self.rows),
            context_start=np.array([start for start, _ in flat], dtype=np.int32),
            context_end=np.array([end for _, end in flat], dtype=np.int32),
        )

    @property
    def windows(self) -> Windows:
        return self.encoded.windows(self.settings, self.template.special_tokens)

    def collate(self, window_W: list[int]) -> Batch:
        return collate(self.encoded, self.windows, np.array(window_W), self.template)


def ids(most: int) -> st.SearchStrategy[list[int]]:
    return st.lists(st.integers(10, 99), min_size=1, max_size=most)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    questions, contexts = (
        draw(st.lists(ids(4), min_size=1, max_size=3)),
        draw(st.lists(ids(25), min_size=1, max_size=3)),
    )
    row = st.tuples(st.integers(0, len(questions) - 1), st.integers(0, len(contexts) - 1), st.just(-1))
    widths = st.integers(0, 2)  # 0: a token without text
    return Case(
        questions=questions,
        contexts=contexts,
        ranges=[[(3 * nth, 3 * nth + draw(widths)) for nth in range(len(context))] for context in contexts],
        rows=draw(st.lists(row, min_size=1, max_size=4)),
        template=draw(st.sampled_from([ROBERTA, BERT, ODD])),
        settings=ReadingSettings(max_tokens=18, max_question_tokens=4, stride=draw(st.integers(0, 4))),
    )


@dataclasses.dataclass(frozen=True)
class Expected:
    """One window, put together token by token: id, segment, and character range where it is context."""

    ids: list[int]
    types: list[int]
    ranges: list[tuple[int, int] | None]


def one_by_one(case: Case, window: int) -> Expected:
    template, windows = case.template, case.windows
    row = case.rows[windows.row[window]]
    question, cut = case.questions[row[0]], slice(windows.start[window], windows.stop[window])
    context, ranges = case.contexts[row[1]][cut], case.ranges[row[1]][cut]
    head = [*template.before, *question, *template.between]
    return Expected(
        ids=[*head, *context, *template.after],
        types=[0] * len(head) + [template.context_type or 0] * (len(context) + len(template.after)),
        ranges=[*([None] * len(head)), *ranges, *([None] * len(template.after))],
    )


@given(cases(), st.randoms(use_true_random=False))
def test_a_batch_is_its_windows_put_together_token_by_token(case: Case, random: object) -> None:
    window_W = list(range(len(case.windows)))
    random.shuffle(window_W)  # type: ignore[attr-defined]  # hypothesis draws a random.Random
    batch = case.collate(window_W)
    expected = [one_by_one(case, window) for window in window_W]
    longest = max(len(window.ids) for window in expected)

    def padded(values: list[int], padding: int) -> list[int]:
        return values + [padding] * (longest - len(values))

    assert batch.window_W.tolist() == window_W
    assert batch.input_ids_WT.tolist() == [padded(window.ids, case.template.pad_id) for window in expected]
    assert batch.attention_mask_WT.tolist() == [padded([1] * len(window.ids), 0) for window in expected]
    if case.template.context_type is None:
        assert batch.token_type_ids_WT is None
    else:
        assert batch.token_type_ids_WT is not None
        assert batch.token_type_ids_WT.tolist() == [padded(window.types, 0) for window in expected]


@given(cases())
def test_context_tokens_with_text_and_only_they_are_eligible(case: Case) -> None:
    batch = case.collate(list(range(len(case.windows))))
    for window, eligible_T in enumerate(batch.eligible_WT.tolist()):
        ranges = one_by_one(case, window).ranges
        wanted = [characters is not None and characters[1] > characters[0] for characters in ranges]
        assert eligible_T == wanted + [False] * (len(eligible_T) - len(wanted))


@given(cases())
def test_character_ranges_are_those_of_the_context_and_zero_elsewhere(case: Case) -> None:
    batch = case.collate(list(range(len(case.windows))))
    for window in range(len(case.windows)):
        wanted = [characters or (0, 0) for characters in one_by_one(case, window).ranges]
        there = list(zip(batch.char_start_WT[window].tolist(), batch.char_end_WT[window].tolist(), strict=True))
        assert there[: len(wanted)] == wanted
        assert set(there[len(wanted) :]) <= {(0, 0)}


@given(cases())
def test_the_null_token_lies_where_the_template_says_in_every_window(case: Case) -> None:
    null_position = case.template.null_position
    batch = case.collate(list(range(len(case.windows))))
    assert set(batch.input_ids_WT[:, null_position].tolist()) == {case.template.before[null_position]}
    assert not batch.eligible_WT[:, null_position].any()


def test_a_batch_is_no_longer_than_its_longest_window() -> None:
    settings = ReadingSettings(max_tokens=18, max_question_tokens=4, stride=0)
    ranges = [[(nth, nth + 1) for nth in range(count)] for count in (12, 2)]
    case = Case([[10, 11]], [[20] * 12, [20] * 2], ranges, [(0, 0, -1), (0, 1, -1)], BERT, settings)
    assert case.collate([0, 1]).input_ids_WT.shape == (2, 17)
    assert case.collate([1]).input_ids_WT.shape == (1, 7)


def test_special_tokens_are_counted_wherever_they_stand() -> None:
    assert [template.special_tokens for template in (ROBERTA, BERT, ODD)] == [4, 3, 5]
