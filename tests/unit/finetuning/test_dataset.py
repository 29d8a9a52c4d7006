from __future__ import annotations

import dataclasses
import tempfile
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ray_qa.finetuning.dataset import (
    LabelledBatch,
    TrainingRows,
    TrainingSet,
    choose_golds,
    open_training_set,
    shard_counts,
    write_shard,
)
from ray_qa.finetuning.label_counts import LabelCounts
from ray_qa.reader.collate import Template, collate
from ray_qa.reader.labels import Labels
from ray_qa.settings import WindowSettings
from tests.unit.reader.test_collate import BERT, ODD, ROBERTA
from tests.unit.reader.test_encoded import encoded_rows

SETTINGS = WindowSettings(max_tokens=16, max_question_tokens=4, stride=2)


@dataclass(frozen=True)
class Example:
    """A row whose tokens are numbers, with its golds as first and last token of the context."""

    question: list[int]
    context: list[int]
    golds: list[tuple[int, int]]


@st.composite
def examples(draw: st.DrawFn) -> Example:
    context = draw(st.lists(st.integers(10, 99), min_size=1, max_size=30))
    gold = st.tuples(st.integers(0, len(context) - 1), st.integers(0, len(context) - 1))
    return Example(
        question=draw(st.lists(st.integers(10, 99), min_size=1, max_size=4)),
        context=context,
        golds=[(min(pair), max(pair)) for pair in draw(st.lists(gold, max_size=3))],
    )


corpora = st.lists(examples(), min_size=1, max_size=6)
templates = st.sampled_from([ROBERTA, BERT, ODD])


def training_rows(rows: list[Example], first_row: int = 0) -> TrainingRows:
    golds = [gold for row in rows for gold in row.golds]
    return TrainingRows(
        encoded=encoded_rows(
            [row.question for row in rows], [row.context for row in rows], [(nth, nth, -1) for nth in range(len(rows))]
        ),
        row_R=np.arange(first_row, first_row + len(rows)),
        gold_offsets=np.array([0, *np.cumsum([len(row.golds) for row in rows], dtype=np.int64)]),
        gold_first=np.array([first for first, _ in golds], dtype=np.int64),
        gold_last=np.array([last for _, last in golds], dtype=np.int64),
    )


def opened(rows: list[Example], template: Template, borders: list[int] | None = None) -> TrainingSet:
    """The rows as a training set, in shards that end at the borders."""
    at = [0, *sorted(min(border, len(rows)) for border in borders or []), len(rows)]
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f"shard-{number}") for number in range(len(at) - 1)]
        for path, (first, last) in zip(paths, pairwise(at), strict=True):
            write_shard(path, training_rows(rows[first:last], first), LabelCounts(rows=last - first))
        return open_training_set(paths, SETTINGS, template.special_tokens)


def every_batch(data: TrainingSet, labels: Labels, template: Template, size: int) -> list[LabelledBatch]:
    return [
        data.batch(np.arange(at, min(at + size, len(data.windows))), labels, template)
        for at in range(0, len(data.windows), size)
    ]


def as_lists(record: Any) -> dict[str, Any]:
    """A record of arrays, to compare."""
    return {
        field.name: None if value is None else np.asarray(value).tolist()
        for field in dataclasses.fields(record)
        for value in [getattr(record, field.name)]
    }


@given(corpora, templates, st.integers(0, 99), st.integers(0, 9))
def test_a_window_is_labelled_with_the_gold_drawn_for_its_row_if_it_holds_all_of_it(
    rows: list[Example], template: Template, seed: int, epoch: int
) -> None:
    data = opened(rows, template)
    labels, windows = data.label(seed=seed, epoch=epoch), data.windows
    drawn = choose_golds(data.gold_offsets, seed=seed, epoch=epoch)
    golds = [gold for row in rows for gold in row.golds]
    wanted = []
    for row, start, stop in zip(windows.row, windows.start, windows.stop, strict=True):
        gold = golds[drawn[row]] if rows[row].golds else None
        wanted.append(gold if gold and start <= gold[0] and gold[1] < stop else (-1, -1))
    assert list(zip(labels.first_W.tolist(), labels.last_W.tolist(), strict=True)) == wanted


@given(corpora, templates, st.integers(1, 7), st.integers(0, 9))
def test_the_positions_of_a_batch_lead_to_the_tokens_of_the_gold_or_to_the_null(
    rows: list[Example], template: Template, size: int, epoch: int
) -> None:
    data = opened(rows, template)
    labels = data.label(seed=1, epoch=epoch)
    window = 0
    for batch in every_batch(data, labels, template, size):
        for input_ids, eligible, start, end in zip(
            batch.batch.input_ids_WT,
            batch.batch.eligible_WT,
            batch.start_positions_B,
            batch.end_positions_B,
            strict=True,
        ):
            first, last = int(labels.first_W[window]), int(labels.last_W[window])
            if first < 0:
                assert (start, end) == (template.null_position, template.null_position)
            else:
                context = rows[data.windows.row[window]].context
                assert input_ids[start : end + 1].tolist() == context[first : last + 1]
                assert eligible[start : end + 1].all()
            window += 1
    assert window == len(data.windows)


@given(corpora, templates, st.data())
def test_a_batch_is_what_collating_the_same_windows_of_all_rows_gives(
    rows: list[Example], template: Template, data: st.DataObject
) -> None:
    training = opened(rows, template)
    window_B = np.array(data.draw(st.lists(st.integers(0, len(training.windows) - 1), min_size=1, max_size=9)))
    batch = training.batch(window_B, training.label(seed=0, epoch=0), template).batch
    wanted = collate(training_rows(rows).encoded, training.windows, window_B, template)
    assert as_lists(dataclasses.replace(batch, window_W=window_B)) == as_lists(wanted)


@given(corpora, templates, st.lists(st.integers(0, 6), max_size=4), st.integers(1, 7))
def test_several_shards_even_empty_ones_give_the_batches_of_one(
    rows: list[Example], template: Template, borders: list[int], size: int
) -> None:
    one, several = opened(rows, template), opened(rows, template, borders)
    assert as_lists(several.windows) == as_lists(one.windows)
    assert several.row_R.tolist() == one.row_R.tolist() == list(range(len(rows)))
    labels = several.label(seed=4, epoch=2)
    assert as_lists(labels) == as_lists(one.label(seed=4, epoch=2))
    for ours, theirs in zip(
        every_batch(several, labels, template, size), every_batch(one, labels, template, size), strict=True
    ):
        assert as_lists(ours.batch) == as_lists(theirs.batch)
        assert ours.start_positions_B.tolist() == theirs.start_positions_B.tolist()
        assert ours.end_positions_B.tolist() == theirs.end_positions_B.tolist()


def test_a_window_that_cuts_its_answer_is_labelled_as_null() -> None:
    # Room for 16 − 4 specials − 2 of the question = 10 tokens: windows 0:10, 8:18, 16:20.
    row = Example(question=[50, 51], context=list(range(60, 80)), golds=[(7, 9)])
    data = opened([row, dataclasses.replace(row, golds=[(8, 9)]), dataclasses.replace(row, golds=[])], ROBERTA)
    labels = data.label(seed=0, epoch=0)
    assert data.windows.start.tolist() == [0, 8, 16] * 3
    assert labels.first_W.tolist() == [7, -1, -1, 8, 8, -1, -1, -1, -1]
    assert labels.last_W.tolist() == [9, -1, -1, 9, 9, -1, -1, -1, -1]

    batch = data.batch(np.array([4, 1, 0, 8]), labels, ROBERTA)
    assert batch.start_positions_B.tolist() == [5, 0, 12, 0]
    assert batch.end_positions_B.tolist() == [6, 0, 14, 0]
    assert batch.batch.input_ids_WT[0, 5:7].tolist() == [68, 69]


def test_rows_without_any_gold_at_all_are_labelled_as_null() -> None:
    data = opened([Example(question=[50], context=[60, 61], golds=[])] * 3, BERT)
    labels = data.label(seed=0, epoch=0)
    assert labels.first_W.tolist() == labels.last_W.tolist() == [-1, -1, -1]
    assert data.batch(np.arange(3), labels, BERT).end_positions_B.tolist() == [0, 0, 0]


def test_every_gold_of_a_row_becomes_its_label_in_some_epoch() -> None:
    golds = [(0, 0), (1, 3), (4, 5)]
    data = opened([Example(question=[50], context=list(range(60, 66)), golds=golds)], BERT)
    drawn = [data.label(seed=0, epoch=epoch) for epoch in range(40)]
    assert {(int(labels.first_W[0]), int(labels.last_W[0])) for labels in drawn} == set(golds)


COUNTS = LabelCounts(
    rows=9,
    answerable=4,
    unanswerable=2,
    dropped_rows={"context_empty": 1, "no_usable_answer": 2},
    questions_cut=1,
    answers=6,
    repaired=1,
    trimmed=2,
    unaligned=3,
    dropped_answers={"answer_not_found": 2},
)


def test_a_shard_carries_its_counts(tmp_path: Path) -> None:
    write_shard(tmp_path / "shard", training_rows([]), COUNTS)
    assert shard_counts(tmp_path / "shard") == COUNTS
    assert [path.name for path in tmp_path.iterdir()] == ["shard"]


def test_counts_add_up_field_by_field_and_reason_by_reason() -> None:
    other = LabelCounts(rows=3, answerable=1, dropped_rows={"answers_missing": 1, "context_empty": 1}, trimmed=5)
    assert COUNTS + other == LabelCounts(
        rows=12,
        answerable=5,
        unanswerable=2,
        dropped_rows={"answers_missing": 1, "context_empty": 2, "no_usable_answer": 2},
        questions_cut=1,
        answers=6,
        repaired=1,
        trimmed=7,
        unaligned=3,
        dropped_answers={"answer_not_found": 2},
    )
    assert list((COUNTS + other).dropped_rows) == ["answers_missing", "context_empty", "no_usable_answer"]
    assert sum([COUNTS, other], LabelCounts()) == COUNTS + other == other + COUNTS


@pytest.mark.parametrize("shards", [1, 3])
def test_shards_stay_on_disk_until_a_batch_reads_them(tmp_path: Path, shards: int) -> None:
    rows = [Example(question=[50], context=[60, 61], golds=[(0, 1)])] * 6
    paths = [tmp_path / f"shard-{number}" for number in range(shards)]
    for path in paths:
        write_shard(path, training_rows(rows), LabelCounts())
    data = open_training_set(paths, SETTINGS, BERT.special_tokens)
    assert len(data.windows) == 6 * shards
    for shard in data.shards:
        assert not shard.encoded.context_ids.flags.owndata
        assert not shard.encoded.context_ids.flags.writeable


@given(st.lists(st.integers(0, 4), max_size=10), st.integers(0, 2**40), st.integers(0, 100))
def test_a_drawn_gold_is_always_one_of_the_rows_own(counts: list[int], seed: int, epoch: int) -> None:
    offsets = np.array([0, *np.cumsum(counts, dtype=np.int64)], dtype=np.int64)
    chosen = choose_golds(offsets, seed=seed, epoch=epoch)
    assert chosen.tolist() == choose_golds(offsets, seed=seed, epoch=epoch).tolist()
    assert len(chosen) == len(counts)
    for gold, count, first in zip(chosen, counts, offsets[:-1], strict=True):
        assert gold in range(first, first + count) if count else gold == -1


def test_every_gold_is_drawn_about_as_often_as_the_others_over_many_epochs() -> None:
    offsets = np.array([0, 3, 3, 4, 6])
    drawn = Counter(
        gold for epoch in range(600) for gold in choose_golds(offsets, seed=5, epoch=epoch).tolist() if gold >= 0
    )
    assert drawn[3] == 600
    assert all(abs(drawn[gold] - 200) < 60 for gold in (0, 1, 2))
    assert all(abs(drawn[gold] - 300) < 70 for gold in (4, 5))


def test_golds_depend_on_seed_and_epoch() -> None:
    offsets = np.arange(0, 301, 3)
    chosen = [choose_golds(offsets, seed=seed, epoch=epoch).tolist() for seed, epoch in [(1, 0), (1, 1), (2, 0)]]
    assert len({tuple(golds) for golds in chosen}) == 3
