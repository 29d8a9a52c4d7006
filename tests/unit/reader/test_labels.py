from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ray_qa.reader.collate import Template
from ray_qa.reader.labels import label_positions, labels_in_windows
from ray_qa.reader.windows import cut_windows
from tests.unit.reader.test_collate import BERT, ODD, ROBERTA


@given(st.sampled_from([ROBERTA, BERT, ODD]), st.integers(1, 6), st.integers(1, 40), st.data())
def test_a_position_leads_to_the_answers_token_in_each_window_that_holds_all_of_it(
    template: Template, question_tokens: int, context_tokens: int, data: st.DataObject
) -> None:
    windows = cut_windows(
        np.array([question_tokens]),
        np.array([context_tokens]),
        max_tokens=template.special_tokens + 14,
        stride=2,
        special_tokens=template.special_tokens,
    )
    first = data.draw(st.integers(-1, context_tokens - 1))
    last = data.draw(st.integers(first, context_tokens - 1)) if first >= 0 else -1
    every_W = np.ones(len(windows), dtype=np.int64)
    labels = labels_in_windows(every_W * first, every_W * last, windows)
    positions = label_positions(labels, windows, every_W * question_tokens, template)
    for window, (start, stop) in enumerate(zip(windows.start.tolist(), windows.stop.tolist(), strict=True)):
        row = [
            *["before" for _ in template.before],
            *["question" for _ in range(question_tokens)],
            *["between" for _ in template.between],
            *range(start, stop),
        ]
        a, b = positions.start_positions_W[window], positions.end_positions_W[window]
        if first >= 0 and start <= first and last < stop:
            assert (row[a], row[b]) == (first, last)
        else:
            assert a == b == template.null_position
