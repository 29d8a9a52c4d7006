"""The search for spans that do not overlap, against all spans in a list."""

from __future__ import annotations

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from ray_qa.reader.mentions import OpenWindow, disjoint_spans

WHOLE = st.integers(-3, 3).map(float)
"""Few whole numbers, so that ties are the rule, and sums exact."""


@st.composite
def rows(draw: st.DrawFn) -> list[OpenWindow]:
    """Windows over the tokens of one context: some are white space, some share a character or overlap."""
    ranges: list[tuple[int, int]] = []
    start = end = 0
    for _ in range(draw(st.integers(1, 14))):
        start = draw(st.integers(start, end + 2))
        end = max(end, start + draw(st.integers(0, 3)))
        ranges.append((start, end))
    windows = []
    for _ in range(draw(st.integers(1, 4))):
        first = draw(st.integers(0, len(ranges) - 1))
        own = ranges[first : draw(st.integers(first + 1, len(ranges)))]
        starts, ends = (draw(st.lists(WHOLE, min_size=len(own), max_size=len(own))) for _ in range(2))
        start_T, end_T = np.array(own).T
        windows.append(
            OpenWindow(
                start_logits_T=np.array(starts, np.float32),
                end_logits_T=np.array(ends, np.float32),
                char_start_T=start_T,
                char_end_T=end_T,
                eligible_T=end_T > start_T,
            )
        )
    return windows


def brute_force(windows: list[OpenWindow], taken: tuple[int, int], longest: int) -> list[tuple[float, int, int]]:
    spans = sorted(
        (-float(one.start_logits_T[i] + one.end_logits_T[j]), int(one.char_start_T[i]), int(one.char_end_T[j]))
        for one in windows
        for i in range(len(one.eligible_T))
        for j in range(i, min(i + longest, len(one.eligible_T)))
        if one.eligible_T[i] and one.eligible_T[j]
    )
    used, found = [taken], []
    for minus_score, start, end in spans:
        if all(end <= other[0] or other[1] <= start for other in used):
            used.append((start, end))
            found.append((minus_score, start, end))
    return found


@given(rows(), st.tuples(st.integers(0, 20), st.integers(1, 8)), st.integers(1, 6))
@example([], (0, 1), 1)
def test_spans_are_those_that_a_list_of_all_gives_greedily(
    windows: list[OpenWindow], place: tuple[int, int], longest: int
) -> None:
    taken = place[0], sum(place)
    found = list(disjoint_spans(windows, taken, longest))
    assert [(one.minus_score, one.start, one.end) for one in found] == brute_force(windows, taken, longest)
    assert all(one.start_score + one.end_score == -one.minus_score for one in found)


def test_a_span_that_another_window_takes_leaves_its_neighbours_to_be_found() -> None:
    """What one window gives by itself is not enough: its best is taken in part, and what it hid comes up."""

    def window(starts: list[float], ends: list[float]) -> OpenWindow:
        at_T = np.arange(len(starts)) * 2
        return OpenWindow(
            start_logits_T=np.array(starts),
            end_logits_T=np.array(ends),
            char_start_T=at_T,
            char_end_T=at_T + 1,
            eligible_T=np.ones(len(starts), np.bool_),
        )

    first = window([5, 0, 0, 0], [0, 0, 4, 0])  # tokens 0 to 2 with 9; hidden below it: token 0 alone with 5
    second = window([0, 0, 9, 0], [0, 0, 9, 0])  # token 2 with 18
    found = [(one.start, one.end, -one.minus_score) for one in disjoint_spans([first, second], (90, 91), 4)]
    assert found[:2] == [(4, 5, 18.0), (0, 1, 5.0)]
